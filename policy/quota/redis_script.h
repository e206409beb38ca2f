// SPDX-License-Identifier: Apache-2.0
// What runs inside of Redis: one script, one round trip, no other client in between.
#pragma once

namespace wardenv::policy {

// KEYS: of each entry the hash and the sorted set of its events (for calendar windows the hash again).
// ARGV: "reserve" | "give_back" | "used", then of each entry mode ("s" | "f"), window, amount, and max (reserve) or place (give_back).
// Answers: reserve {1, place…} or {0, entry from 0, wall ms from when on it is free, -1: never}; give_back {1}; used {amount}.
// The hash of a sliding counter: u = used, l = newest time, and for each event its time = amount. Of a calendar window: i = index,
// o = opened, c = count, l = last use, b = last use of the window before. The same rules as windows.cc.
// Lua's numbers are doubles: everything is below 2^53.
inline constexpr const char* kRedisScript = R"lua(
local function text(n) return string.format('%.0f', n) end
local clock = redis.call('TIME')
local wall = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function open_sliding(e)
  local got = redis.call('HMGET', e.hash, 'u', 'l')
  e.used = tonumber(got[1] or '0')
  e.at = math.max(wall, tonumber(got[2] or '0'))
  local before = '(' .. text(e.at - e.window)
  while true do
    local gone = redis.call('ZRANGEBYSCORE', e.events, '-inf', before, 'LIMIT', 0, 500)
    if #gone == 0 then break end
    local amounts = redis.call('HMGET', e.hash, unpack(gone))
    for _, amount in ipairs(amounts) do e.used = e.used - tonumber(amount) end
    redis.call('HDEL', e.hash, unpack(gone))
    redis.call('ZREM', e.events, unpack(gone))
    redis.call('HSET', e.hash, 'u', text(e.used))
  end
end

local function open_fixed(e)
  local got = redis.call('HMGET', e.hash, 'i', 'o', 'c', 'l', 'b')
  e.index = tonumber(got[1] or '-1')
  e.opened = tonumber(got[2] or '0')
  e.used = tonumber(got[3] or '0')
  e.last = tonumber(got[4] or '-1')
  e.before = tonumber(got[5] or '-1')
  e.at = math.max(wall, e.last, e.opened)
  local named = math.floor(wall / e.window)
  if named ~= e.index and (e.before < 0 or e.at >= e.before + e.window) then
    e.index, e.opened, e.used, e.before, e.last = named, e.at, 0, math.max(e.before, e.last), -1
  end
end

local function free_sliding(e, keep)
  local left = e.used
  local start = 0
  while start < 10000 do
    local events = redis.call('ZRANGE', e.events, start, start + 499)
    if #events == 0 then break end
    local amounts = redis.call('HMGET', e.hash, unpack(events))
    for i, amount in ipairs(amounts) do
      left = left - tonumber(amount)
      if left <= keep then return tonumber(events[i]) + e.window + 1 - e.at + wall end
    end
    start = start + 500
  end
  local newest = redis.call('ZRANGE', e.events, -1, -1)
  return tonumber(newest[1] or text(e.at)) + e.window + 1 - e.at + wall
end

local function free_fixed(e)
  local held = wall
  if e.before >= 0 then held = wall + math.max(0, e.before + e.window - e.at) end
  if math.floor(held / e.window) == e.index then return (e.index + 1) * e.window end
  return held
end

local function add(e)
  if e.mode == 's' then
    local at = text(e.at)
    redis.call('HINCRBY', e.hash, 'u', text(e.amount))
    redis.call('HINCRBY', e.hash, at, text(e.amount))
    redis.call('HSET', e.hash, 'l', at)
    redis.call('ZADD', e.events, at, at)
    redis.call('PEXPIREAT', e.events, text(e.at + 2 * e.window + 1000))
  else
    redis.call('HSET', e.hash, 'i', text(e.index), 'o', text(e.opened), 'l', text(e.at), 'b', text(e.before))
    if e.used == 0 then redis.call('HSET', e.hash, 'c', '0') end
    redis.call('HINCRBY', e.hash, 'c', text(e.amount))
    e.used = e.used + e.amount
  end
  redis.call('PEXPIREAT', e.hash, text(e.at + 2 * e.window + 1000))
  return e.mode == 's' and e.at or e.opened
end

local function give_back(e, place)
  local field = e.mode == 's' and place or 'c'
  if e.mode == 'f' and redis.call('HGET', e.hash, 'o') ~= place then return end
  local there = tonumber(redis.call('HGET', e.hash, field) or '0')
  local taken = math.min(there, e.amount)
  if taken == 0 then return end
  redis.call('HINCRBY', e.hash, field, text(-taken))
  if e.mode == 'f' then return end
  redis.call('HINCRBY', e.hash, 'u', text(-taken))
  if taken == there then
    redis.call('HDEL', e.hash, place)
    redis.call('ZREM', e.events, place)
  end
end

local entries = {}
for i = 1, #KEYS / 2 do
  local a = 4 * i - 2
  entries[i] = {hash = KEYS[2 * i - 1], events = KEYS[2 * i], mode = ARGV[a], window = tonumber(ARGV[a + 1]), amount = tonumber(ARGV[a + 2]), last_arg = ARGV[a + 3]}
end

if ARGV[1] == 'give_back' then
  for _, e in ipairs(entries) do give_back(e, e.last_arg) end
  return {1}
end

for _, e in ipairs(entries) do
  if e.mode == 's' then open_sliding(e) else open_fixed(e) end
end
if ARGV[1] == 'used' then return {entries[1].used} end

local refused, free = nil, nil
for i, e in ipairs(entries) do
  local max = tonumber(e.last_arg)
  local need = 0
  for j = 1, e.amount > 0 and i or 0 do
    if entries[j].hash == e.hash then need = need + entries[j].amount end
  end
  if need > 0 and (e.used > max or need > max - e.used) then
    local at = -1
    if need <= max then at = e.mode == 's' and free_sliding(e, max - need) or free_fixed(e) end
    if refused == nil or (free >= 0 and (at < 0 or at > free)) then refused, free = i - 1, at end
  end
end
if refused ~= nil then return {0, refused, free} end

local answer = {1}
local opened = {}
for i, e in ipairs(entries) do
  local same = opened[e.hash] or e
  opened[e.hash] = same
  same.amount = e.amount
  answer[i + 1] = e.amount > 0 and add(same) or 0
end
return answer
)lua";

}  // namespace wardenv::policy
