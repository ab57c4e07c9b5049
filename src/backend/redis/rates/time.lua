-- The server's time; or a test's, which may stand still while keys expire: they are kept for an hour more.
local now, slack = tonumber(ARGV[1]), 3600000
if now < 0 then
    local time = redis.call('TIME')
    now, slack = time[1] * 1000000 + time[2], 1
end
