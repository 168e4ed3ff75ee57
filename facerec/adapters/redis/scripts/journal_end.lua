-- The number of the journal's last entry ('0' when there is none), and where it should end.
local entry = redis.call('XREVRANGE', 'journal', '+', '-', 'COUNT', 1)[1]
return {entry and entry[1]:match('^%d+') or '0', redis.call('GET', 'journal:position') or '0'}
