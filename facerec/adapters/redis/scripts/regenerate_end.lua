-- with: regenerate_shared
-- The last step of dropping. ARGV: run, report. Returns 'ended', 'not empty' when something is left in databases 5 and 6, or 'over'.
local run, report = unpack(ARGV)
if not own_of(run) or aside_is_open() then return 'over' end
for database = ASIDE_FACES, ASIDE_LINKS do
  if in_database(database, 'DBSIZE') > 0 then return 'not empty' end
end
for _, owner in ipairs(redis.call('SMEMBERS', 'owners')) do redis.call('UNLINK', prefix_of(owner) .. 'crowd:aside') end
forget_crowds()
redis.call('SET', 'regenerate:last', report)
redis.call('UNLINK', RUN, PENDING, UNSENT, NOTES, SWITCHED, BARRIER, 'regenerate:tries')
return 'ended'
