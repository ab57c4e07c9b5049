-- KEYS as in block.lua; ARGV[1] epoch and [2] number of the last change that is known, [3] how many are told
local meta = redis.call('HMGET', KEYS[4], 'epoch', 'seq')
local epoch, seq = meta[1] or '0', tonumber(meta[2] or '0')
local after, whole = tonumber(ARGV[2]), 0
if epoch ~= ARGV[1] or after > seq or after == 0 then after, whole = 0, 1 end
if after == seq then return {tonumber(epoch), seq, whole, 0, {}, {}} end
local log = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. string.format('%.0f', after), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local networks, last = {}, after
for i = 1, #log, 2 do
    networks[#networks + 1] = log[i]
    last = tonumber(log[i + 1])
end
local rows = {}
if #networks > 0 then rows = redis.call('HMGET', KEYS[1], unpack(networks)) end
local more = 0
if #networks == tonumber(ARGV[3]) then more = 1 else last = seq end
return {tonumber(epoch), last, whole, more, networks, rows}
