-- pause.lua: claims pass a queue by, or no longer; a resumed queue wakes the workers that wait.
-- KEYS 1 prefix
-- ARGV 1 queue  2 `1` for paused
-- RETURNS nothing of interest
local p, queue = KEYS[1], ARGV[1]
if ARGV[2] == '1' then return redis.call('SADD', p .. 'paused', queue) end
redis.call('SREM', p .. 'paused', queue)
for _, class in ipairs(redis.call('SMEMBERS', p .. 'classes')) do
  local _, of = covers('*', '', class)
  local rung = 0
  while of == queue and rung < MAX_WAITING and ring(p, class) do rung = rung + 1 end
end
return 1
