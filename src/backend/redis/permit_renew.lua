-- KEYS[1] who is ahead, by the end of the lease; ARGV[1] who lives; ARGV[2], ARGV[3] the lease, in
-- microseconds and in milliseconds
-- Who has been forgotten is ahead all the same.
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[2]), ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
