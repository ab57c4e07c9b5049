-- The time, and what each field holds, with commas between.
local out = {format('%d', now)}
for i = 1, #KEYS do
    out[i + 1] = call('HGET', KEYS[i], ARGV[i]) or ''
end
-- What is no state must not be taken for a verdict.
if out[2] then out[2] = string.gsub(out[2], '^[x?]', '#') end
return table.concat(out, ',')
