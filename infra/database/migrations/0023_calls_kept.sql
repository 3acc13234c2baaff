-- Since when calls are kept. A late call of a month that was forgotten makes its table anew: the sums that stayed are of
-- thousands of calls, the table has one, and neither is to be held against the other.
create table calls_kept (
    kept_since timestamptz not null,
    single boolean primary key default true check (single)
);
-- As far as can be told: months that have sums, and no calls.
insert into calls_kept (kept_since)
select coalesce(max((month + interval '1 month') at time zone 'UTC'), '-infinity') from (
    select distinct date_trunc('month', start at time zone 'UTC') as month from call_rollups where grain = '1d'
) summed
where to_regclass('calls_' || to_char(month, 'YYYY_MM')) is null
    and not exists (select from calls_other c where date_trunc('month', c.shelf at time zone 'UTC') = month);

-- As it was, and writes down what it forgets; and what is on the shelf without a month of its own goes as well, some at a
-- time, or it would outlive its log.
create or replace function forget_month(kept_since timestamptz) returns text
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
    end if;
    delete from calls_other where id in (
        select id from calls_other where shelf < kept_since limit 5000 for update skip locked
    );
    if found then
        oldest := coalesce(oldest, 'calls_other');
    end if;
    if oldest is not null then
        update calls_kept k set kept_since = greatest(k.kept_since, $1);
        raise log 'Switchboard keeps % no longer', oldest;
    end if;
    return oldest;
exception when lock_not_available or serialization_failure then
    return null;
end
$$;
