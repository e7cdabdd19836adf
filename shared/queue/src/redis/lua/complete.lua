-- complete.lua: doubt the queue, or declare it complete unless somebody has doubted it meanwhile. While it is in doubt,
-- claims go straight to the record.
-- KEYS 1 prefix
-- ARGV 1 the generation: which server it was filled on; '' to doubt it  2 how often it had been doubted before the filling
-- RETURNS how often it was doubted so far; when declaring, 1 when it is complete now, else 0
local p = KEYS[1]
if ARGV[1] == '' then
  redis.call('DEL', p .. 'generation')
  return redis.call('INCR', p .. 'doubts')
end
if redis.call('GET', p .. 'doubts') ~= ARGV[2] then return 0 end
redis.call('SET', p .. 'generation', ARGV[1])
return 1
