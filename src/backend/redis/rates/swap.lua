-- For each key three arguments: the state that it must still have, '' for none; its new state; and for
-- how many milliseconds, 0 to forget it, -1 to leave it.
local held = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
    if (held[i] or '') ~= ARGV[3 * i - 1] then
        held[#KEYS + 1] = now
        return held
    end
end
for i = 1, #KEYS do
    local kept = tonumber(ARGV[3 * i + 1])
    if kept > 0 then
        redis.call('SET', KEYS[i], ARGV[3 * i], 'PX', string.format('%d', kept + slack))
    elseif kept == 0 and held[i] then
        redis.call('DEL', KEYS[i])
    end
end
return 1
