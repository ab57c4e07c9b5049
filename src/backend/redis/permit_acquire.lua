-- KEYS[1] who is ahead, by the end of the lease; ARGV[1] who asks; ARGV[2] how many may;
-- ARGV[3], ARGV[4] the lease, in microseconds and in milliseconds
-- {1, how many are ahead with this one}; {0, how many are ahead already}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local ahead = redis.call('ZCARD', KEYS[1])
if ahead >= tonumber(ARGV[2]) then return {0, ahead} end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[1])
-- The key lasts as long as the longest lease.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return {1, ahead + 1}
