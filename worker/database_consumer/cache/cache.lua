-- One script for writers and readers. KEYS[1]: the epoch's hash {n, run}; every other key is made
-- from it and shares its hash tag. A value is "<version>\n<json>", a tombstone "<version>\n".
-- ARGV[1] says what to do:
--   epoch                                   -> n, or "" when this server has none of its own run
--   raise  now_ms known                     -> n, one step that makes every older value unreachable
--   get    suffix                           -> {n, version, json}; version "" means a miss
--   put    n (suffix version json ttl)...   -> {written, older}; {-1, 0} when n is not the epoch
-- An epoch belongs to one run of the server: after a restart, from an old snapshot or from nothing,
-- what it holds may be stale, and nothing is read or written before the epoch was raised.
local prefix = KEYS[1]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local held = redis.call('HMGET', prefix, 'n', 'run')
local epoch = ''
if held[1] and held[2] == run then epoch = held[1] end
local action = ARGV[1]

local function newer(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

if action == 'epoch' then return epoch end

if action == 'raise' then
  -- somebody else raised it since: their step is enough
  if epoch ~= '' and epoch ~= ARGV[3] then return epoch end
  local n = ARGV[2]
  local before = held[1] or '0'
  if not newer(n, before) then n = string.format('%.0f', tonumber(before) + 1) end
  redis.call('HSET', prefix, 'n', n, 'run', run)
  return n
end

if action == 'get' then
  if epoch == '' then return {'', '', ''} end
  local value = redis.call('GET', prefix .. ':' .. epoch .. ':' .. ARGV[2])
  if not value then return {epoch, '', ''} end
  local cut = string.find(value, '\n', 1, true)
  return {epoch, string.sub(value, 1, cut - 1), string.sub(value, cut + 1)}
end

if action == 'put' then
  if epoch == '' or epoch ~= ARGV[2] then return {-1, 0} end
  local written, older = 0, 0
  for i = 3, #ARGV, 4 do
    local key = prefix .. ':' .. epoch .. ':' .. ARGV[i]
    local version = ARGV[i + 1]
    local there = redis.call('GETRANGE', key, 0, 40)
    local cut = string.find(there, '\n', 1, true)
    local held_version = cut and string.sub(there, 1, cut - 1)
    -- deleted and made again in one transaction: both have its version, and the row is the later
    local again = cut and held_version == version and #there == cut and ARGV[i + 2] ~= ''
    if not cut or again or newer(version, held_version) then
      redis.call('SET', key, version .. '\n' .. ARGV[i + 2], 'EX', ARGV[i + 3])
      written = written + 1
    else
      older = older + 1
    end
  end
  return {written, older}
end

return redis.error_reply('ERR unknown action')
