"""What is done on the server in one step, in Lua. Times are microseconds since the epoch, in text.

KEYS: 1 the prefix of the values, 2 members by use, 3 facts of members (size, created, expires), 4 members by expiry,
5 the bytes of all values, 6 the names of the namespaces. All lie in one slot of a cluster, by their hash tag.
"""

from __future__ import annotations

_COMMON = """
local function forget(member)
    local facts = redis.call('HGET', KEYS[3], member)
    if not facts then return 0 end
    redis.call('DEL', KEYS[1] .. member)
    redis.call('ZREM', KEYS[2], member)
    redis.call('HDEL', KEYS[3], member)
    redis.call('ZREM', KEYS[4], member)
    redis.call('DECRBY', KEYS[5], string.match(facts, '^%d+'))
    return 1
end

local function sweep(now, most)
    local gone = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, most)
    for _, member in ipairs(gone) do forget(member) end
    return #gone
end

local function touch(member, now)
    -- Never the same twice, so that the order of use is known however coarse the clocks are.
    local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
    local score = tonumber(now)
    if last[2] and tonumber(last[2]) >= score then score = tonumber(last[2]) + 1 end
    redis.call('ZADD', KEYS[2], string.format('%.0f', score), member)
end

local function read(member, now)
    local facts = redis.call('HGET', KEYS[3], member)
    if not facts then return false end
    local value = redis.call('GET', KEYS[1] .. member)
    local expires = string.match(facts, '%d*$')
    if not value or (expires ~= '' and tonumber(expires) <= tonumber(now)) then
        forget(member)
        return false
    end
    return value
end
"""

GET = f"""{_COMMON}
local value = read(ARGV[1], ARGV[2])
if value then touch(ARGV[1], ARGV[2]) end
return value
"""
"""ARGV: member, now. The value as stored, or nothing."""

PEEK = f"""{_COMMON}
return read(ARGV[1], ARGV[2])
"""
"""ARGV: member, now. Like GET, but no use."""

PUT = f"""{_COMMON}
local member, value, size, now, expires, ttl, entries, bytes, name = unpack(ARGV)
local expired = sweep(now, 64)
forget(member)
if value ~= '' then
    redis.call('SET', KEYS[1] .. member, value)
    if ttl ~= '' then
        redis.call('PEXPIRE', KEYS[1] .. member, ttl)
        redis.call('ZADD', KEYS[4], expires, member)
    end
    redis.call('HSET', KEYS[3], member, size .. ' ' .. now .. ' ' .. expires)
    redis.call('INCRBY', KEYS[5], size)
    redis.call('SADD', KEYS[6], name)
    touch(member, now)
end
local evicted = 0
while evicted < 1000 and ((entries ~= '' and redis.call('ZCARD', KEYS[2]) > tonumber(entries))
        or (bytes ~= '' and tonumber(redis.call('GET', KEYS[5]) or '0') > tonumber(bytes))) do
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)
    if not oldest[1] then break end
    forget(oldest[1])
    evicted = evicted + 1
end
return {{expired, evicted}}
"""
"""ARGV: member, value (empty: none), its size, now, expires, milliseconds to live, bounds, name of the namespace."""

DROP = f"""{_COMMON}
return forget(ARGV[1])
"""
"""ARGV: member. Whether it was there."""

DROP_SOME = f"""{_COMMON}
local members = redis.call('ZRANGE', KEYS[2], 0, 499)
for _, member in ipairs(members) do forget(member) end
if #members == 0 then redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5]) end
return #members
"""
"""The number of those dropped, 0 when none is left."""

SWEEP = f"""{_COMMON}
return sweep(ARGV[1], 500)
"""
"""ARGV: now. The number of those that had expired, at most 500."""
