-- Sample data: four queues and the interpreters that serve them. Local runs load it; deployments do not.
insert into queues (id, name, language, wrap_up_seconds) values
    ('medical_spanish', 'Medical Spanish', 'es', 20),
    ('medical_english', 'Medical English', 'en', 20),
    ('legal_spanish', 'Legal Spanish', 'es', 30),
    ('legal_english', 'Legal English', 'en', 30)
on conflict (id) do nothing;

insert into agents (id, name, languages, queues, status, status_since)
select
    'interpreter-' || to_char(n, 'FM00'),
    name,
    case when n <= 24 then array['es', 'en'] when n <= 30 then array['es'] else array['en'] end,
    case
        when n <= 14 then array['medical_spanish', 'medical_english']
        when n <= 18 then array['medical_spanish', 'legal_spanish']
        when n <= 24 then array['legal_spanish', 'legal_english']
        when n <= 30 then array['medical_spanish', 'legal_spanish']
        else array['medical_english', 'legal_english']
    end,
    'available',
    now() - make_interval(secs => n)
from unnest(array[
    'Ana Ibarra', 'Bruno Castillo', 'Carmen Duarte', 'Diego Fuentes', 'Elena Robles', 'Felipe Navarro', 'Gloria Peña',
    'Hugo Salinas', 'Inés Valdez', 'Javier Montes', 'Karla Rivas', 'Luis Ochoa', 'Marta Soler', 'Nicolás Vega',
    'Olga Prado', 'Pablo Quiroga', 'Raquel Luna', 'Sergio Mena', 'Teresa Gil', 'Ulises Campos', 'Valeria Ortiz',
    'Walter Rojas', 'Ximena Paz', 'Yago Herrera', 'Zoe Beltrán', 'Adrián Cruz', 'Beatriz Lara', 'César Pinto',
    'Dolores Arias', 'Emilio Bravo', 'Grace Miller', 'Henry Walsh', 'Iris Bennett', 'Jack Turner', 'Kate Morgan',
    'Liam Foster'
]) with ordinality as interpreter (name, n)
on conflict (id) do nothing;
