-- room.lua: note what the record says of projects' limits, and which of their orders run.
-- KEYS 1 prefix
-- ARGV per project: project, limit or '', number of running orders, then their ids
-- RETURNS nothing of interest
local p, i = KEYS[1], 1
while i < #ARGV do
  local project, most, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  redis.call('DEL', p .. 'held:' .. project)
  if most == '' then
    redis.call('HDEL', p .. 'limits', project)
  else
    redis.call('HSET', p .. 'limits', project, most)
    for j = i + 3, i + 2 + count do redis.call('SADD', p .. 'held:' .. project, ARGV[j]) end
  end
  i = i + 3 + count
end
return 1
