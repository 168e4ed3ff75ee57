-- Look for keys that belong to no image. ARGV: database, then keys of that database; or 'names' and pairs of p and a name
-- from the list of names; or 'holders' and pairs of a key and a member. Returns faults {kind, key, subject, detail}; the kind
-- 'many' is none, but says that the key has too many members for one step. Nothing is written.
local database = tonumber(ARGV[1])
local faults = {}
local function fault(key, kind, subject, detail) faults[#faults + 1] = {kind, key, subject, detail} end

local TYPES = {[NAME_TO_HASH] = 'string', [HASH_TO_NAMES] = 'set', [FACES] = 'list', [LINKS] = 'set',
               [ASIDE_FACES] = 'list', [ASIDE_LINKS] = 'set'}
local OWN_TYPES = {
  image = 'hash', names = 'hash', withdrawn = 'hash', holders = 'zset', state = 'zset', erased = 'string',
}

local function check_name(key)
  local p, name = split_key(key)
  local hash = in_database(NAME_TO_HASH, 'GET', key)
  if hash and redis.call('HEXISTS', withdrawn_key(p, hash), name) == 0 and (redis.call('HGET', document(p, hash), 'state') ~= 'done'
               or redis.call('HEXISTS', p .. 'names:' .. hash, name) == 0) then
    fault(key, 'name', name, 'leads to ' .. hash .. ', which is not a finished image of that name')
  end
end

local function check_image_key(key)
  local p, hash = split_key(key)
  if redis.call('EXISTS', document(p, hash)) == 0 and in_database(database, 'EXISTS', key) == 1 then
    fault(key, 'stray', key, 'database ' .. database .. ' has it, but there is no such image')
  end
end

local MANY = 100

local function check_holder(key, hash, ticket)
  local p, rest = split_key(key)
  local name = rest:sub(#'holders:' + 1)
  if redis.call('HEXISTS', withdrawn_key(p, hash), name) == 1 then return end
  local upload = redis.call('HGET', p .. 'names:' .. hash, name)
  if redis.call('HGET', document(p, hash), 'state') ~= 'done' or tonumber(upload or -1) ~= tonumber(ticket) then
    fault(key, 'name', name, hash .. ' is among its holders and should not be')
  end
end

local function check_holders(key, name)
  if redis.call('ZCARD', key) > MANY then return fault(key, 'many', name, '') end
  local holders = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  if #holders == 2 then fault(key, 'name', name, 'only one image holds it') end
  for i = 1, #holders, 2 do check_holder(key, holders[i], holders[i + 1]) end
end

local function check_own(key)
  local p, rest = split_key(key)
  local kind, subject = rest:match('^([a-z]+):(.*)$')
  if kind == 'image' and redis.call('EXISTS', key) == 1 then
    local owner = p == '' and 'default' or p:sub(1, -2)
    if not redis.call('ZSCORE', p .. 'images', subject) or redis.call('SISMEMBER', 'owners', owner) == 0 then
      fault(key, 'document', subject, 'has a document, but is not in the list of images')
    end
  elseif kind == 'names' and redis.call('EXISTS', key) == 1 and redis.call('EXISTS', document(p, subject)) == 0 then
    fault(key, 'stray', key, 'there are names, but no such image')
  elseif kind == 'withdrawn' and redis.call('EXISTS', key) == 1 then
    fault(key, 'withdrawal', subject, 'was erased, and not all of its names are gone')
  elseif kind == 'holders' then
    check_holders(key, subject)
  end
end

local function type_of(key)
  if database ~= OWN then return TYPES[database] end
  local _, rest = split_key(key)
  return OWN_TYPES[rest:match('^([a-z]+):') or '']
end

local function check(key)
  local expected, found = type_of(key), in_database(database, 'TYPE', key).ok
  if not expected or found == 'none' then return end
  if expected ~= found then return fault(key, 'type', key, 'is a ' .. found .. ', not a ' .. expected) end
  if database == OWN then check_own(key)
  elseif database == NAME_TO_HASH then check_name(key)
  else check_image_key(key) end
end

if ARGV[1] == 'holders' then
  for i = 2, #ARGV, 2 do
    local ticket = redis.call('ZSCORE', ARGV[i], ARGV[i + 1])
    if ticket then check_holder(ARGV[i], ARGV[i + 1], ticket) end
  end
elseif ARGV[1] == 'names' then
  for i = 2, #ARGV, 2 do
    local p, name = ARGV[i], ARGV[i + 1]
    if in_database(NAME_TO_HASH, 'EXISTS', p .. name) == 0 and redis.call('ZSCORE', p .. 'names', name) then
      fault(p .. name, 'name', name, 'is in the list of names, but leads to no image')
    end
  end
else
  for i = 2, #ARGV do check(ARGV[i]) end
end
return faults
