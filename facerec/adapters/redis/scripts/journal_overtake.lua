-- A worker knows the journal up to a position that it has not reached: the store was emptied, or restored from an older backup. What
-- will be written there is not what the worker knows, and other workers may know it, too. So the journal goes on far behind all that
-- anybody can know, and each of them finds a gap and loads everything anew. ARGV: journal length, position.
if tonumber(redis.call('GET', 'journal:position') or 0) >= tonumber(ARGV[2]) then return '' end
redis.call('XTRIM', 'journal', 'MAXLEN', 0)
redis.call('SET', 'journal:position', string.format('%.0f', tonumber(ARGV[2]) + 1000000))
return write_journal(ARGV[1], 'reload', 'default', string.rep('0', 64), '0', {})
