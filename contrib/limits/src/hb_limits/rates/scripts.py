"""What is done on the server in one step, in Lua, at the server's own time in microseconds.

KEYS are the names of buckets. What a bucket has lies under its name: `:W` the entries of the window called W by their
time, and `:W:w` their weights, with the sum under `t`; `:c` who runs, by when the lease ends; `:q` who waits, by
ticket, and `:q:w` until when that counts, and what each of them wants; `:held` while the provider wants nothing. All
lie in one slot of a cluster, by their hash tag, and all expire.
"""

from __future__ import annotations

from typing import Final

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
"""

ASK: Final = f"""{_NOW}
local asked = cjson.decode(ARGV[1])
local me, mine = asked.me, tonumber(asked.ticket) or now

local function ahead_of_me(key, count)
    -- Those who wait for this bucket longer: how many they are, and what they want of each window.
    local number, wants = 0, {{}}
    for j = 1, count do wants[j] = 0 end
    local line = redis.call('ZRANGE', key .. ':q', 0, -1, 'WITHSCORES')
    for at = 1, #line, 2 do
        local other, ticket = line[at], tonumber(line[at + 1])
        local facts = redis.call('HGET', key .. ':q:w', other) or '0'
        local stays = tonumber(string.match(facts, '^%d+'))
        if stays < now or stays > now + asked.stay then -- it died; or the server's clock was set back: it asks again
            redis.call('ZREM', key .. ':q', other)
            redis.call('HDEL', key .. ':q:w', other)
        elseif other ~= me and (ticket < mine or (ticket == mine and other < me)) then
            number = number + 1
            local j = 0
            for weight in string.gmatch(string.match(facts, '^%d+(.*)'), '%d+') do
                j = j + 1
                if j <= count then wants[j] = wants[j] + tonumber(weight) end
            end
        end
    end
    return number, wants
end

local function room(key, window, ahead)
    -- Microseconds until there is room for what is wanted, behind what others want.
    local log, weights = key .. ':' .. window.name, key .. ':' .. window.name .. ':w'
    for _, entry in ipairs(redis.call('ZRANGE', log, '(' .. text(now), '+inf', 'BYSCORE')) do
        redis.call('ZADD', log, text(now), entry) -- the server's clock was set back
    end
    for _, entry in ipairs(redis.call('ZRANGE', log, '-inf', text(now - window.span), 'BYSCORE')) do
        redis.call('HINCRBY', weights, 't', -(redis.call('HGET', weights, entry) or 0))
        redis.call('HDEL', weights, entry)
        redis.call('ZREM', log, entry)
    end
    local over = tonumber(redis.call('HGET', weights, 't') or 0) + ahead
    over = over + math.min(window.weight, window.most) - window.most
    if over <= 0 then return 0 end
    local from = 0
    while true do
        local some = redis.call('ZRANGE', log, from, from + 31, 'WITHSCORES')
        for at = 1, #some, 2 do
            over = over - redis.call('HGET', weights, some[at])
            if over <= 0 then return tonumber(some[at + 1]) + window.span - now end
        end
        if #some < 64 then return window.span end
        from = from + 32
    end
end

local longest, bucket, reason = -1, 0, ''
for i, wanted in ipairs(asked.buckets) do
    local key = KEYS[i]
    local number, ahead = ahead_of_me(key, #wanted.windows)
    local held = redis.call('PTTL', key .. ':held') * 1000
    if held > asked.longest then -- the server's clock was set back
        held = asked.longest
        redis.call('PEXPIRE', key .. ':held', held / 1000)
    end
    if held > longest and held > 0 then longest, bucket, reason = held, i, 'held' end
    for j, window in ipairs(wanted.windows) do
        local wait = room(key, window, ahead[j])
        if wait > longest and wait > 0 then longest, bucket, reason = wait, i, window.name end
    end
    if wanted.running > 0 then
        redis.call('ZREMRANGEBYSCORE', key .. ':c', '-inf', text(now))
        for _, run in ipairs(redis.call('ZRANGE', key .. ':c', '(' .. text(now + asked.lease), '+inf', 'BYSCORE')) do
            redis.call('ZADD', key .. ':c', text(now + asked.lease), run) -- the server's clock was set back
        end
        if redis.call('ZCARD', key .. ':c') + number >= wanted.running and longest < 0 then
            longest, bucket, reason = 0, i, 'concurrency'
        end
    end
end

for i, wanted in ipairs(asked.buckets) do
    if me ~= '' and i ~= bucket then
        redis.call('ZREM', KEYS[i] .. ':q', me)
        redis.call('HDEL', KEYS[i] .. ':q:w', me)
    end
end
if bucket > 0 then
    if me ~= '' then
        local key, wants = KEYS[bucket], ''
        for _, window in ipairs(asked.buckets[bucket].windows) do wants = wants .. ' ' .. text(window.weight) end
        redis.call('ZADD', key .. ':q', text(mine), me)
        redis.call('HSET', key .. ':q:w', me, text(now + asked.stay) .. wants)
        redis.call('PEXPIRE', key .. ':q', math.ceil(asked.stay / 500))
        redis.call('PEXPIRE', key .. ':q:w', math.ceil(asked.stay / 500))
    end
    return {{0, bucket, text(math.max(longest, 0)), reason, text(mine)}}
end

local entries = {{}}
for i, wanted in ipairs(asked.buckets) do
    local key = KEYS[i]
    for _, window in ipairs(wanted.windows) do
        local log, weights = key .. ':' .. window.name, key .. ':' .. window.name .. ':w'
        local entry, life = text(math.floor(now / window.grain)), math.ceil(window.span / 1000) + 1000
        redis.call('ZADD', log, text(now), entry)
        redis.call('HINCRBY', weights, entry, text(window.weight))
        redis.call('HINCRBY', weights, 't', text(window.weight))
        redis.call('PEXPIRE', log, life)
        redis.call('PEXPIRE', weights, life)
        entries[#entries + 1] = entry
    end
    if wanted.running > 0 then
        redis.call('ZADD', key .. ':c', text(now + asked.lease), asked.run)
        redis.call('PEXPIRE', key .. ':c', math.ceil(asked.lease / 1000) + 1000)
    end
end
return {{1, entries}}
"""
"""ARGV: as JSON `me` (who waits; "" for who does not), `ticket`, `stay`, `lease`, `longest` that a provider's word
holds (microseconds), `run` (the lease's name), and of each bucket `windows` (name, span, grain, most, weight) and
`running` (0: any). Answers 1 and the entries; or 0, the bucket that refuses, for how long, why, and the ticket."""

END: Final = """
for i, over in ipairs(cjson.decode(ARGV[1])) do
    local key = KEYS[i]
    for _, entry in ipairs(over.entries) do
        local log, weights = key .. ':' .. entry[1], key .. ':' .. entry[1] .. ':w'
        if redis.call('ZSCORE', log, entry[2]) then
            redis.call('HINCRBY', weights, entry[2], entry[3])
            redis.call('HINCRBY', weights, 't', entry[3])
        end
    end
    if over.run ~= '' then redis.call('ZREM', key .. ':c', over.run) end
end
return 1
"""
"""ARGV: as JSON, of each bucket `entries` (window, entry, how much more it came to) and the name of the lease or ""."""

LEAVE: Final = """
redis.call('ZREM', KEYS[1] .. ':q', ARGV[1])
redis.call('HDEL', KEYS[1] .. ':q:w', ARGV[1])
return 1
"""
"""ARGV: who waits no longer."""

RENEW: Final = f"""{_NOW}
local lease = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
    redis.call('ZADD', key .. ':c', 'XX', text(now + lease), ARGV[i + 1])
    redis.call('PEXPIRE', key .. ':c', math.ceil(lease / 1000) + 1000)
end
return 1
"""
"""ARGV: microseconds, and the lease of each bucket."""

HOLD: Final = """
if redis.call('PTTL', KEYS[1] .. ':held') < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1] .. ':held', '1', 'PX', ARGV[1])
end
return 1
"""
"""ARGV: milliseconds."""
