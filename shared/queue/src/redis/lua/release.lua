-- release.lua: note that orders run no longer, and wake a worker for each place that became free in a limited project.
-- KEYS 1 prefix
-- ARGV two per order: project, id
-- RETURNS how many places became free
local p, free = KEYS[1], 0
for i = 1, #ARGV, 2 do
  local project = ARGV[i]
  if redis.call('SREM', p .. 'held:' .. project, ARGV[i + 1]) == 1 then
    free = free + 1
    for _, class in ipairs(redis.call('SMEMBERS', p .. 'classes')) do
      if redis.call('ZSCORE', p .. 'heads:' .. class, project) and ring(p, class) then break end
    end
  end
end
return free
