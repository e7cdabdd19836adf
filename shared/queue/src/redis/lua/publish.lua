-- publish.lua: make queued orders visible to claims, and wake a worker for each that is new.
-- KEYS 1 prefix
-- ARGV 1 now in ms, then five per order: id, project, class, score, due time in ms
-- RETURNS {1 when the queue is complete else 0, orders that were not here before}
local p, now = KEYS[1], tonumber(ARGV[1])
local added, nobody = 0, {}
local first_due = tonumber(next_due(p))
for i = 2, #ARGV, 5 do
  local order, project, class, score, due = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  local wake = false
  if due <= now then
    if redis.call('ZREM', p .. 'delayed', order) == 1 then redis.call('HDEL', p .. 'delayed:at', order) end
    wake = put_ready(p, class, project, order, score)
    if wake then added = added + 1 end
  else
    if redis.call('ZREM', ready_key(p, class, project), order) == 1 then set_head(p, class, project) end
    added = added + redis.call('ZADD', p .. 'delayed', due, order)
    redis.call('HSET', p .. 'delayed:at', order, score .. ' ' .. project .. ' ' .. class)
    -- Somebody has to learn of an earlier alarm.
    wake = not first_due or due < first_due
    if wake then first_due = due end
  end
  if wake and not nobody[class] then nobody[class] = not ring(p, class) end
end
return {redis.call('EXISTS', p .. 'generation'), added}
