-- The catalogue of a database, as lines that two databases can be compared by. Partitions of a month depend on the
-- date and are left out.
with objects as (
    select c.oid, c.relname, c.relkind, c.relacl, c.reloptions, c.relpartbound
    from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relname !~ '_\d{4}_\d{2}'
)
select 'relation', relname, relkind::text, concat_ws(' ', reloptions::text, pg_get_partkeydef(oid),
    pg_get_expr(relpartbound, oid)), relacl::text, obj_description(oid, 'pg_class')
from objects where relkind in ('r', 'p', 'v', 'm')
union all
select 'column', relname || '.' || to_char(attnum, 'FM000'), attname,
    concat_ws(' ', format_type(atttypid, atttypmod), case when attnotnull then 'not null' end, attidentity,
        attgenerated, nullif(attcollation, 0)::regcollation, pg_get_expr(d.adbin, d.adrelid)),
    attacl::text, col_description(objects.oid, attnum)
from objects
join pg_attribute a on attrelid = objects.oid and attnum > 0 and not attisdropped
left join pg_attrdef d on adrelid = attrelid and adnum = attnum
where relkind in ('r', 'p', 'v', 'm')
union all
select 'index', relname, null, pg_get_indexdef(oid), null,
    obj_description(oid, 'pg_class')
from objects where relkind in ('i', 'I')
union all
select 'constraint', relname, conname, pg_get_constraintdef(k.oid), null, obj_description(k.oid, 'pg_constraint')
from objects join pg_constraint k on conrelid = objects.oid
union all
select 'trigger', relname, tgname, pg_get_triggerdef(t.oid), null, obj_description(t.oid, 'pg_trigger')
from objects join pg_trigger t on tgrelid = objects.oid where not tgisinternal
union all
select 'sequence', relname, null, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache,
    seqcycle), relacl::text, obj_description(oid, 'pg_class')
from objects join pg_sequence on seqrelid = oid
union all
select 'function', p.oid::regprocedure::text, null, pg_get_functiondef(p.oid), proacl::text,
    obj_description(p.oid, 'pg_proc')
from pg_proc p where pronamespace = current_schema()::regnamespace
order by 1, 2, 3, 4
