"""What the Redis server runs, each at once and whole.

An account is a hash: what was spent or set aside of it as `units` and `parts` of a unit of its currency, and `tokens`.
All are whole numbers below 2^53, which Lua's numbers hold exactly. Beside it stands a sorted set of what is set aside:
its members tell how much, their scores until when. What is over stays there for a day, for who settles late.
"""

from __future__ import annotations

from typing import Final

_COMMON: Final = """
local PARTS, LATE = 1000000000000, 86400
local function whole(n) return string.format('%.0f', n) end
local function add(units, parts, more_units, more_parts)
  local sum = parts + more_parts
  local carry = math.floor(sum / PARTS)
  return units + more_units + carry, sum - carry * PARTS
end
local function used(key)
  local found = redis.call('HMGET', key, 'units', 'parts', 'tokens')
  return tonumber(found[1] or '0'), tonumber(found[2] or '0'), tonumber(found[3] or '0')
end
local function write(key, units, parts, tokens)
  redis.call('HSET', key, 'units', whole(units), 'parts', whole(parts), 'tokens', whole(tokens))
end
local now = tonumber(redis.call('TIME')[1])
"""

RESERVE: Final = (
    _COMMON
    + """
-- KEYS: the index, then for each account its hash and its set. ARGV: a JSON text, then a member for each account.
local asked = cjson.decode(ARGV[1])
for _, want in ipairs(asked.wants) do
  if not asked.is_spent and want.ends and (now < want.start or now >= want.ends) then return {2, now} end
end
local refused = {}
for place, want in ipairs(asked.wants) do
  local key, held, member = KEYS[2 * place], KEYS[2 * place + 1], ARGV[place + 1]
  if redis.call('ZSCORE', held, member) then return {0, now} end  -- asked again, as its answer was lost
  local units, parts, tokens = used(key)
  local u, p = add(units, parts, want.units, want.parts)
  local over = want.tokens_most and tokens + want.tokens > want.tokens_most
  if want.units_most and (u > want.units_most or (u == want.units_most and p > want.parts_most)) then over = true end
  if over and not asked.is_spent then table.insert(refused, {place, whole(units), whole(parts), whole(tokens)}) end
end
if #refused > 0 then return {1, now, refused} end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for place, want in ipairs(asked.wants) do
  local key, held, member = KEYS[2 * place], KEYS[2 * place + 1], ARGV[place + 1]
  local units, parts, tokens = used(key)
  units, parts = add(units, parts, want.units, want.parts)
  write(key, units, parts, tokens + want.tokens)
  redis.call('HSET', key, 'about', want.about)
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now - LATE)
  redis.call('ZADD', held, now + asked.lease, member)
  local kept = want.kept_until or (want.kept and now + want.kept)
  if kept then
    redis.call('EXPIREAT', key, kept)
    redis.call('EXPIREAT', held, kept)
  end
  redis.call('ZADD', KEYS[1], kept or '+inf', want.name)
end
return {0, now}
"""
)

SETTLE: Final = (
    _COMMON
    + """
-- KEYS: for each account its hash and its set. ARGV: for each a member, then how many units, parts and tokens more.
for place = 1, #KEYS / 2 do
  local key, held = KEYS[2 * place - 1], KEYS[2 * place]
  local at = 4 * place - 3
  if redis.call('ZREM', held, ARGV[at]) == 1 and redis.call('EXISTS', key) == 1 then
    local units, parts, tokens = used(key)
    units, parts = add(units, parts, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]))
    write(key, units, parts, tokens + tonumber(ARGV[at + 3]))
  end
end
return 0
"""
)

LIST: Final = (
    _COMMON
    + """
-- KEYS: the index. ARGV: the beginning of all keys.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local found = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = ARGV[1] .. name
  local row = redis.call('HMGET', key, 'units', 'parts', 'tokens', 'about')
  if row[4] then
    table.insert(found, {name, row, redis.call('ZRANGEBYSCORE', key .. ':held', '(' .. now, '+inf')})
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
return found
"""
)

RESET: Final = (
    _COMMON
    + """
-- KEYS: for each account its hash and its set.
for place = 1, #KEYS / 2 do
  local key, held = KEYS[2 * place - 1], KEYS[2 * place]
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
  local units, parts, tokens = 0, 0, 0
  for _, member in ipairs(redis.call('ZRANGE', held, 0, -1)) do
    local u, p, t = string.match(member, ':(%d+):(%d+):(%d+)$')
    units, parts = add(units, parts, tonumber(u), tonumber(p))
    tokens = tokens + tonumber(t)
  end
  if redis.call('EXISTS', key) == 1 then write(key, units, parts, tokens) end
end
return 0
"""
)
