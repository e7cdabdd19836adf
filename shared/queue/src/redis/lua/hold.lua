-- hold.lua: note that orders of limited projects run now.
-- KEYS 1 prefix
-- ARGV two per order: project, id
-- RETURNS nothing of interest
for i = 1, #ARGV, 2 do
  redis.call('SADD', KEYS[1] .. 'held:' .. ARGV[i], ARGV[i + 1])
end
return 1
