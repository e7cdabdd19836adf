-- withdraw.lua: forget orders that are no longer queued.
-- KEYS 1 prefix
-- ARGV three per order: id, project, class
-- RETURNS how many were here
local p, gone = KEYS[1], 0
for i = 1, #ARGV, 3 do
  local order, project, class = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('ZREM', ready_key(p, class, project), order) == 1 then
    set_head(p, class, project)
    gone = gone + 1
  end
  gone = gone + redis.call('ZREM', p .. 'delayed', order)
  redis.call('HDEL', p .. 'delayed:at', order)
end
return gone
