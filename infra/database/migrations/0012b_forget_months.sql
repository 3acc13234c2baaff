-- Drops the oldest month that was over when that of `kept_since` began, and says which; null where there is none, or where
-- its locks are not to be had in a moment: this waits for nobody, and nobody for longer than that for this. A month of the
-- log goes a month after its calls, and not while an open call may have events in it: no call outlives its log.
create function forget_month(kept_since timestamptz) returns text
language plpgsql security definer set search_path from current set lock_timeout = '50ms' as $$
declare
    oldest text;
begin
    with parts as materialized (
        select c.relname as name, i.inhparent = 'events'::regclass as is_log
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('calls'::regclass, 'events'::regclass) and c.relname ~ '_\d{4}_\d{2}$'
    ), months as (
        select *, (to_date(right(name, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as ending from parts
    )
    select name into oldest from months
    where case when is_log
        then ending < kept_since
            and not exists (select from calls_live l where coalesce(l.recorded_since, '-infinity') < ending)
        else ending <= kept_since end
    order by ending, name limit 1;
    if oldest is not null then
        execute format('drop table %I', oldest);
        raise log 'Switchboard keeps % no longer', oldest;
    end if;
    return oldest;
exception when lock_not_available then
    return null;
end
$$;
