-- Let nobody commit until an import has ended. ARGV: the newest ticket of an image that will come.
-- Returns 'ok', or 'not empty' unless an import was cut off before.
if redis.call('EXISTS', 'import') == 1 then return 'ok' end
for _, owner in ipairs(redis.call('SMEMBERS', 'owners')) do
  local p = prefix_of(owner)
  if redis.call('EXISTS', p .. 'images') == 1 then return 'not empty' end
end
for database = NAME_TO_HASH, ASIDE_LINKS do
  if in_database(database, 'DBSIZE') > 0 then return 'not empty' end
end
advance_counter(ARGV[1])
redis.call('SET', 'import', 'running')
return 'ok'
