-- publish.lua: make queued orders visible to claims, and wake a worker for each that is new.
-- KEYS 1 prefix
-- ARGV 1 now in ms, then five per order: id, project, class, score, due time in ms
-- RETURNS {1 when the queue is complete else 0, orders that were not here before}
-- Orders of one lane enter it in one command: that is what makes a long list cheap.
local p, now = KEYS[1], tonumber(ARGV[1])
local added, nobody = 0, {}
local first_due = tonumber(first_delayed(p) or '')
local lanes, lane_of, due_now = {}, {}, {}

for i = 2, #ARGV, 5 do
  local order, project, class, score, due = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  if due <= now then
    local key = ready_key(p, class, project)
    local lane = lane_of[key]
    if not lane then
      lane = {key = key, class = class, project = project, entries = {}, lowest = score}
      lane_of[key], lanes[#lanes + 1] = lane, lane
    end
    local entries = lane.entries
    entries[#entries + 1], entries[#entries + 2] = score, order
    if tonumber(score) < tonumber(lane.lowest) then lane.lowest = score end
    due_now[#due_now + 1] = order
  else
    if redis.call('ZREM', ready_key(p, class, project), order) == 1 then set_head(p, class, project) end
    added = added + redis.call('ZADD', p .. 'delayed', due, order)
    redis.call('HSET', p .. 'delayed:at', order, score .. ' ' .. project .. ' ' .. class)
    -- Somebody has to learn of an earlier alarm.
    if not first_due or due < first_due then
      first_due = due
      if not nobody[class] then nobody[class] = not ring(p, class) end
    end
  end
end

-- Without a first alarm nothing is delayed.
if first_due and #due_now > 0 and redis.call('ZREM', p .. 'delayed', unpack(due_now)) > 0 then
  redis.call('HDEL', p .. 'delayed:at', unpack(due_now))
end
for _, lane in ipairs(lanes) do
  local new = put_ready(p, lane.class, lane.project, lane.key, lane.entries, lane.lowest)
  added = added + new
  for _ = 1, new do
    if nobody[lane.class] then break end
    nobody[lane.class] = not ring(p, lane.class)
  end
end
return {redis.call('EXISTS', p .. 'generation'), added}
