function(held, now, op, units, limit, period)
    local begins = now - now % period
    local elapsed, previous, current, behind, moved = now - begins, 0, 0, 0, false
    if held then
        local first, second, third = string.match(held, '^(%d+) (%d+) (%d+)')
        if first then
            local began = tonumber(first)
            local before, used = math.min(tonumber(second), limit), math.min(tonumber(third), limit)
            if began - now >= period and began - now > 1000000 then
                previous, current, moved = before, used, true
            elseif began > now then
                previous, current, behind = before, used, began - now
                begins, elapsed = began, 0
            elseif began >= begins then
                previous, current = before, used
            elseif begins - began <= period then
                previous = used
            end
        end
    end
    local ok, changed = true, false
    if op < 2 then
        local cost = op == 1 and units or 1
        local load = previous * (period - elapsed) + current * period
        if cost > limit or (cost > 0 and load + cost * period > limit * period) then
            ok = false
        elseif op == 1 and cost > 0 then
            current, changed = current + cost, true
        end
    elseif op == 2 then
        previous = math.max(previous - math.max(units - current, 0), 0)
        current, changed = math.max(current - units, 0), true
    elseif op == 3 then
        current, changed = math.min(current + units, limit), true
    else
        previous, current, changed = 0, 0, true
    end
    if not (changed or moved) then return ok end
    if previous == 0 and current == 0 then return ok, '' end
    local after = period - elapsed + behind
    if current > 0 then after = after + period end
    return ok, string.format('%d %d %d', begins, previous, current), after
end
