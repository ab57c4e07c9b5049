-- The time, nothing, and what each field holds, with commas between.
local out = {format('%d', now), ''}
for i = 1, #KEYS do
    out[i + 2] = call('HGET', KEYS[i], ARGV[i]) or ''
end
return table.concat(out, ',')
