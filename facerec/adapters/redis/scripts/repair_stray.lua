-- with: people_shared
-- with: findface_shared
-- with: contacts_shared
-- with: repair_shared
-- Remove a key that belongs to no image. ARGV: database, key, owner, journal length.
local database, key, owner, length = tonumber(ARGV[1]), unpack(ARGV, 2)
local p, hash = split_key(key)
if database == OWN then hash = hash:match('^names:(.*)$') end
if redis.call('EXISTS', document(p, hash)) == 1 then return 'changed' end
if database == LINKS then
  for _, other in ipairs(in_database(LINKS, 'SMEMBERS', key)) do in_database(LINKS, 'SREM', p .. other, hash) end
end
if database == FACES then
  take_out(owner, p, hash, '0', length)
  have_all_loaded_anew(length, owner, hash)
end
if database == ASIDE_LINKS then unlink_aside(p, hash) end
in_database(database, 'DEL', key)
return 'ok'
