-- What an index must know before it loads. Returns {journal position, model of the current set or '', 1 when a set aside is open,
-- its model or ''}.
return {redis.call('GET', 'journal:position') or '0', redis.call('GET', 'model') or '', aside_is_open() and 1 or 0,
        aside_is_open() and redis.call('HGET', RUN, 'aside_model') or ''}
