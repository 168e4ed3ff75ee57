-- An import has ended. ARGV: ticket, position. The gap in the journal makes every worker load everything anew.
advance_counter(ARGV[1])
local position = math.max(tonumber(redis.call('GET', 'journal:position') or 0), tonumber(ARGV[2])) + 1
redis.call('SET', 'journal:position', string.format('%.0f', position))
redis.call('DEL', 'journal', 'import')
return 'ok'
