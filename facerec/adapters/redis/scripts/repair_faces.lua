-- with: people_shared
-- with: findface_shared
-- with: contacts_shared
-- with: repair_shared
-- A finished image's face records are damaged or missing: restore them, or have the image scanned again.
-- ARGV: owner, p, hash, now, journal length, SHA-1 of the damaged records one after the other, then the records to restore.
local owner, p, hash, now, length, seen = unpack(ARGV, 1, 6)
local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
local found = in_database(FACES, 'LRANGE', p .. hash, 0, -1)
if doc[1] ~= 'done' or redis.sha1hex(table.concat(found)) ~= seen then return 'changed' end
local records = {}
for i = 7, #ARGV do records[#records + 1] = ARGV[i] end
if #records == 0 then
  unfinish(owner, p, hash, doc[2], now, length, 'its face records were damaged')
  return 'to be scanned again'
end
in_database(FACES, 'DEL', p .. hash)
redis.call('SELECT', FACES)
in_chunks('RPUSH', p .. hash, records)
redis.call('SELECT', OWN)
set_current(p, hash, 'faces', #records)
have_all_loaded_anew(length, owner, hash)
return 'restored'
