-- Shared by all scripts: put before each of them. Every script starts in database 0 and ends there.
-- Lua has no rollback, so a script checks everything before its first write, and writes what makes an image `done` last: if a
-- foreign hand has put a key of another type in the way, the image stays unfinished and the job fails with that reason.

local OWN, NAME_TO_HASH, HASH_TO_NAMES, FACES, LINKS = 0, 1, 2, 3, 4
local ASIDE_FACES, ASIDE_LINKS = 5, 6
-- A regeneration: its hash, the images to be done, what is to be said of some, and whether databases 3 and 4 hold the new set.
local RUN, PENDING, NOTES, SWITCHED = 'regenerate', 'regenerate:pending', 'regenerate:notes', 'regenerate:switched'
local BARRIER = 'regenerate:barrier'
local CHUNK = 1000 -- Lua's stack takes about 8000 arguments at once
local NAMES_AT_ONCE = 200 -- of images that were sent under more, each step takes some
local NAMES_READ = 5000 -- the most that one step reads

local KNOWN_STATES = {queued = true, processing = true, done = true, failed = true}
local OPEN_STATES = {'queued', 'processing', 'failed'}

local function prefix_of(owner) return owner == 'default' and '' or owner .. '\31' end
local function document(p, hash) return p .. 'image:' .. hash end

local function in_database(database, ...)
  redis.call('SELECT', database)
  local reply = redis.call(...)
  redis.call('SELECT', OWN)
  return reply
end

local function in_chunks(command, key, values)
  for first = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, first, math.min(first + CHUNK - 1, #values)))
  end
end

local function announce(owner, hash, state)
  redis.call('PUBLISH', 'events', cjson.encode({owner = owner, hash = hash, state = state}))
end

local function seconds_now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function seconds_text(seconds) return string.format('%.6f', seconds) end

-- The time that a script is told, else that of the server: workers whose clocks are apart agree on that one.
local function time_or(told) return tonumber(told) or seconds_now() end

-- What the owner wants to be told, in the same step as the change itself: see webhook_due.lua.
local function note_webhook(p, hash, state)
  if (state == 'done' or state == 'failed') and redis.call('EXISTS', p .. 'webhook') == 1 then
    local member = p .. state .. ':' .. hash
    redis.call('ZADD', 'webhooks:due', string.format('%.6f', seconds_now()), member)
    redis.call('HDEL', 'webhooks:tries', member)
  end
end

-- Images that are queued, by the time since when; some that are no longer are found out by oldest_wait.lua.
local QUEUED = 'images:queued'

local function set_state(owner, p, hash, state)
  local key = document(p, hash)
  local ticket = redis.call('HGET', key, 'ticket')
  for _, other in ipairs(OPEN_STATES) do
    if other ~= state then redis.call('ZREM', p .. 'state:' .. other, hash) end
  end
  if state ~= 'done' then redis.call('ZADD', p .. 'state:' .. state, ticket, hash) end
  redis.call('HSET', key, 'state', state)
  if state == 'queued' then
    redis.call('ZADD', QUEUED, tonumber(redis.call('HGET', key, 'queued_at')) or seconds_now(), p .. hash)
  else
    redis.call('ZREM', QUEUED, p .. hash)
  end
  note_webhook(p, hash, state)
  announce(owner, hash, state)
end

-- A new id, above all that the counter gave before. Clients see these ids: one that counted would tell each owner how much the others
-- do. It is the time in microseconds since 2026, or in as many times that as is said, which owners know anyway; one more than the last
-- where that is ahead.
local IDS_SINCE = 1767225600
local function new_id(counter, microseconds)
  local id, time = redis.call('INCR', counter), redis.call('TIME')
  local since = (tonumber(time[1]) - IDS_SINCE) * 1e6 + tonumber(time[2])
  local text = string.format('%.0f', math.max(id, math.floor(since / (microseconds or 1))))
  redis.call('SET', counter, text)
  return text
end

-- Ids of faces are 4096 times that of their image's ticket, and clients may have no whole numbers above 2^53: in milliseconds there is
-- room until the year 2095.
local function new_ticket() return new_id('ticket', 1000) end

local function advance_counter(ticket)
  if tonumber(redis.call('GET', 'ticket') or 0) < tonumber(ticket) then redis.call('SET', 'ticket', ticket) end
end

-- A job comes with a ticket that this store did not give when the store was emptied, or restored from an older backup. Tickets from
-- 2^50 on are taken as they are: one in a message of somebody else must not bring the counter near its end.
local function advance_counter_to_job(ticket)
  if tonumber(ticket) < 1125899906842624 then advance_counter(ticket) end
end

-- The ticket for the document of an image that has none: this one, unless it was given to another image since the store was emptied.
local function free_ticket(p, hash, ticket)
  local taken = redis.call('ZRANGEBYSCORE', p .. 'images', ticket, ticket)
  if not taken[1] or taken[1] == hash then return ticket end
  return new_ticket()
end

-- Make sure that there is a document; returns its ticket.
local function ensure_document(owner, p, hash, ticket, queued_at)
  local key = document(p, hash)
  if redis.call('HSETNX', key, 'ticket', ticket) == 1 then
    redis.call('HSET', key, 'queued_at', queued_at, 'attempts', 0)
    redis.call('ZADD', p .. 'images', ticket, hash)
    redis.call('SADD', 'owners', owner)
    return ticket
  end
  return redis.call('HGET', key, 'ticket')
end

-- The names of images that are not finished, so that they are found by them. A release before this one neither writes nor removes
-- any: some may be missing, and who reads them leaves out what is true no more (names_open.lua).
local function open_names(p) return p .. 'unfinished:names' end
local function note_open_name(p, hash, name) redis.call('ZADD', open_names(p), 0, name .. '\31' .. hash) end
local function forget_open_name(p, hash, name) redis.call('ZREM', open_names(p), name .. '\31' .. hash) end

local function remember_name(p, hash, name, ticket)
  if redis.call('HGET', document(p, hash), 'state') ~= 'done' then note_open_name(p, hash, name) end
  local known = redis.call('HGET', p .. 'names:' .. hash, name)
  if not known or tonumber(known) < tonumber(ticket) then
    redis.call('HSET', p .. 'names:' .. hash, name, ticket)
  end
end

-- Write a name of a finished image to databases 1 and 2. The newest upload under a name owns it, whichever finished first.
local function publish_name(p, hash, name)
  local ticket = redis.call('HGET', p .. 'names:' .. hash, name)
  redis.call('SELECT', HASH_TO_NAMES)
  redis.call('SADD', p .. hash, name)
  redis.call('SELECT', NAME_TO_HASH)
  local current = redis.call('GET', p .. name)
  if not current then
    redis.call('SET', p .. name, hash)
  end
  redis.call('SELECT', OWN)
  redis.call('ZADD', p .. 'names', 0, name)
  forget_open_name(p, hash, name)
  local holders = p .. 'holders:' .. name
  if current == hash and redis.call('EXISTS', holders) == 1 then redis.call('ZADD', holders, ticket, hash) end
  if current and current ~= hash then
    local current_ticket = redis.call('HGET', p .. 'names:' .. current, name) or '0'
    redis.call('ZADD', holders, current_ticket, current, ticket, hash)
    if tonumber(ticket) > tonumber(current_ticket) then
      redis.call('SELECT', NAME_TO_HASH)
      redis.call('SET', p .. name, hash)
      redis.call('SELECT', OWN)
    end
  end
end

-- The names of a finished image; false when this step has read too many already: then facerec.adapters.redis.names does it.
local names_left = NAMES_READ
local function published_names(p, hash)
  local count = in_database(HASH_TO_NAMES, 'SCARD', p .. hash)
  if count > names_left then return false end
  names_left = names_left - count
  return in_database(HASH_TO_NAMES, 'SMEMBERS', p .. hash)
end

local function is_erased(p, hash, ticket)
  local erased = redis.call('GET', p .. 'erased:' .. hash)
  return erased and tonumber(erased) >= tonumber(ticket)
end

local function write_journal(length, operation, owner, hash, ticket, records)
  local joined = {}
  for i, record in ipairs(records) do joined[i] = struct.pack('<I4', #record) .. record end
  local position = string.format('%.0f', redis.call('INCR', 'journal:position'))
  redis.call('XADD', 'journal', 'MAXLEN', '~', length, position .. '-0', 'op', operation, 'owner', owner,
             'hash', hash, 'ticket', ticket, 'records', table.concat(joined))
  return position
end

-- A name leads away from an image: to the newest of the others that bear it, or to nothing.
local function withdraw_name(p, hash, name)
  forget_open_name(p, hash, name)
  local holders = p .. 'holders:' .. name
  redis.call('ZREM', holders, hash)
  local heir = redis.call('ZREVRANGE', holders, 0, 0)[1]
  if redis.call('ZCARD', holders) <= 1 then redis.call('DEL', holders) end
  if in_database(NAME_TO_HASH, 'GET', p .. name) ~= hash then return end
  if heir then
    in_database(NAME_TO_HASH, 'SET', p .. name, heir)
  else
    in_database(NAME_TO_HASH, 'DEL', p .. name)
    redis.call('ZREM', p .. 'names', name)
  end
end

-- What takes several steps is noted with its first and struck out with its last: whoever began it may die in between, and a
-- worker goes on then.
local function note_unfinished(what) redis.call('ZADD', 'unfinished', string.format('%.6f', seconds_now()), what) end
local function strike_out(what) redis.call('ZREM', 'unfinished', what) end

-- Names of an image that was erased, or taken out by a repair, until withdraw_names.lua has been at them. They lead to an image
-- that is not there.
local function withdrawn_key(p, hash) return p .. 'withdrawn:' .. hash end

-- Strike out an image of many names when all of them are withdrawn or published that should be.
local function settle_names(p, hash)
  if redis.call('EXISTS', withdrawn_key(p, hash)) == 1 then return end
  local is_done = redis.call('HGET', document(p, hash), 'state') == 'done'
  if is_done and redis.call('HLEN', p .. 'names:' .. hash) > in_database(HASH_TO_NAMES, 'SCARD', p .. hash) then return end
  strike_out(p .. 'names:' .. hash)
end

-- What follows a journal position: nil when it is the end, {'gap'}, or {'moved', entries}.
local function after_position(position)
  local last = redis.call('GET', 'journal:position') or '0'
  if last == position then return nil end
  local first = string.format('%.0f-0', tonumber(position) + 1)
  local entries = redis.call('XRANGE', 'journal', first, '+', 'COUNT', 1000)
  if tonumber(last) < tonumber(position) or not entries[1] or entries[1][1] ~= first then return {'gap'} end
  return {'moved', entries}
end

-- Whether a second set of faces and links is kept beside the current one.
local function aside_is_open() return redis.call('HGET', RUN, 'open') == '1' end

-- What a document says of an image in one set has the fields model, faces, position; when the image is in both sets, the fields
-- other_model, ... speak of the set that is not the one the regeneration began with.
local FACTS = {'model', 'faces', 'position'}
local function in_other_fields(key) return redis.call('EXISTS', SWITCHED) == 1 and redis.call('HEXISTS', key, 'other_model') == 1 end

-- How many faces an image has in the current set, and the position of the entry that says so.
local function current_facts(p, hash)
  local before = in_other_fields(document(p, hash)) and 'other_' or ''
  return unpack(redis.call('HMGET', document(p, hash), before .. 'model', before .. 'faces', before .. 'position'))
end

local function set_current(p, hash, field, value)
  local key = document(p, hash)
  redis.call('HSET', key, (in_other_fields(key) and 'other_' or '') .. field, value)
end

-- The fields of a document as people see them: those of the current set alone.
local function current_document(p, hash)
  local key = document(p, hash)
  local flat, switched, shown = redis.call('HGETALL', key), in_other_fields(key), {}
  for i = 1, #flat, 2 do
    local other = flat[i]:match('^other_(.*)$')
    local both = flat[i] == 'model' or flat[i] == 'faces' or flat[i] == 'position'
    if flat[i] ~= 'regenerated' and ((switched and not both) or (not switched and not other)) then
      shown[#shown + 1] = other or flat[i]
      shown[#shown + 1] = flat[i + 1]
    end
  end
  return shown
end

-- What a finished image added to the counters of the run.
local COUNTED = {'moved', 'kept', 'unmoved', 'found', 'images'}
local function uncount(p, hash)
  local run, counts = (redis.call('HGET', document(p, hash), 'regenerated') or ''):match('^(%d+) (.*)$')
  if not run then return end
  redis.call('HDEL', document(p, hash), 'regenerated')
  if run ~= redis.call('HGET', RUN, 'run') then return end
  local n = 0
  for count in counts:gmatch('%d+') do
    n = n + 1
    if count ~= '0' then redis.call('HINCRBY', RUN, COUNTED[n], '-' .. count) end
  end
end

-- An image is in a crowd no more but still there, or the crowds are others now: nobody may trust what he remembers of them.
local function forget_crowds() redis.call('DEL', 'crowd:since') end

local function unlink_aside(p, hash)
  redis.call('SELECT', ASIDE_LINKS)
  for _, other in ipairs(redis.call('SMEMBERS', p .. hash)) do redis.call('SREM', p .. other, hash) end
  redis.call('DEL', p .. hash)
  redis.call('SELECT', OWN)
  if redis.call('ZREM', p .. 'crowd:aside', hash) == 1 then forget_crowds() end
end

-- An image is no longer in the set aside; returns how many faces it had there.
local function withdraw_aside(p, hash)
  if redis.call('EXISTS', RUN) == 0 then return 0 end
  local key = document(p, hash)
  if redis.call('HEXISTS', key, 'other_model') == 1 then
    if redis.call('EXISTS', SWITCHED) == 1 then
      for _, field in ipairs(FACTS) do redis.call('HSET', key, field, redis.call('HGET', key, 'other_' .. field)) end
    end
    redis.call('HDEL', key, 'other_model', 'other_faces', 'other_position')
  end
  uncount(p, hash)
  unlink_aside(p, hash)
  local faces = in_database(ASIDE_FACES, 'LLEN', p .. hash)
  in_database(ASIDE_FACES, 'DEL', p .. hash)
  redis.call('ZREM', PENDING, p .. hash)
  redis.call('HDEL', NOTES, p .. hash)
  return faces
end

-- An image came, or its faces changed: the set aside lacks it, as it is now. To be called when its journal entry is written.
local function owe_aside(p, hash)
  if aside_is_open() then redis.call('ZADD', PENDING, 0, p .. hash) end
end

-- Take an image out of databases 1 to 4, and out of every index; returns how many faces and links it had.
local function withdraw(owner, p, hash, ticket, length)
  for _, name in ipairs(redis.call('HKEYS', p .. 'names:' .. hash)) do withdraw_name(p, hash, name) end
  in_database(HASH_TO_NAMES, 'UNLINK', p .. hash)
  redis.call('SELECT', LINKS)
  local links = redis.call('SMEMBERS', p .. hash)
  for _, other in ipairs(links) do redis.call('SREM', p .. other, hash) end
  redis.call('DEL', p .. hash)
  redis.call('SELECT', FACES)
  local faces = redis.call('LLEN', p .. hash)
  redis.call('DEL', p .. hash)
  redis.call('SELECT', OWN)
  redis.call('ZREM', p .. 'crowd', hash)
  if faces + withdraw_aside(p, hash) > 0 then write_journal(length, 'remove', owner, hash, ticket, {}) end
  return faces, #links
end

-- The beginning that tells the owner, and the rest.
local function split_key(key)
  local p, rest = key:match('^(.*\31)([^\31]*)$')
  if p then return p, rest end
  return '', key
end

-- The face id in a face record (facerec.records), as text; '0', which no face has, when the record is too short to have one.
local function face_of(record)
  if #record < 12 then return '0' end
  local low, high = struct.unpack('<I4I4', record, 5)
  return string.format('%.0f', high * 4294967296 + low)
end
