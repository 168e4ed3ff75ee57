-- What the repairs share; put behind people_shared, findface_shared and contacts_shared.

-- Faces were changed by a repair: what workers know of them cannot be told, so they load everything anew.
local function have_all_loaded_anew(length, owner, hash) return write_journal(length, 'reload', owner, hash, '0', {}) end

-- Whether a face record is one of the image with this ticket; '0' when nobody knows the ticket.
local function is_its_own(record, ticket)
  return #record >= 12 and (ticket == '0' or math.floor(tonumber(face_of(record)) / 4096) == tonumber(ticket))
end

-- Do something to an image of very many names that keeps them, while withdraw_names.lua is to be told that they lead to it no
-- more, some at a time. When an earlier erasure is still at it, all are withdrawn at once.
local function with_names_aside(p, hash, work)
  local key, aside = p .. 'names:' .. hash, withdrawn_key(p, hash)
  if redis.call('HLEN', key) <= NAMES_AT_ONCE or redis.call('EXISTS', aside) == 1 then return work() end
  redis.call('RENAME', key, aside)
  note_unfinished(key)
  local result = work()
  redis.call('COPY', aside, key)
  return result
end

-- Take an image out of databases 1 to 4, galleries, persons, contacts and every index; returns how many faces it had.
local function take_out(owner, p, hash, ticket, length)
  for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
    if is_its_own(record, ticket) then
      forget_face(p, face_of(record))
      forget_contact_faces(p, face_of(record))
    end
  end
  forget_crowds()
  return with_names_aside(p, hash, function() return (withdraw(owner, p, hash, ticket, length)) end)
end

-- An image turned out to be damaged: show it as failed, so that sending it again scans it again.
local function unfinish(owner, p, hash, ticket, now, length, reason)
  local key = document(p, hash)
  take_out(owner, p, hash, ticket, length)
  have_all_loaded_anew(length, owner, hash)
  redis.call('HDEL', key, 'width', 'height', 'model', 'faces', 'position', 'claim', 'claim_until', 'interactive')
  redis.call('HSET', key, 'code', 'DAMAGED', 'reason', reason .. '; send the image again', 'failed_ticket', ticket,
             'done_at', now)
  set_state(owner, p, hash, 'failed')
  if redis.call('HLEN', p .. 'names:' .. hash) > NAMES_AT_ONCE then return end
  for _, name in ipairs(redis.call('HKEYS', p .. 'names:' .. hash)) do note_open_name(p, hash, name) end
end
