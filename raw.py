import psycopg, uuid, os, json
from time import perf_counter as pc
from tests.database import *
DDL="""CREATE TABLE stored_events(originator_id uuid not null, originator_version bigint not null, topic text, state bytea, notification_id bigserial, primary key(originator_id,originator_version));
create unique index on stored_events(notification_id)"""
state=os.urandom(10)+b'x'*290
N=1500
def rows(): return [(uuid.uuid4(),1,'owner.admitted',state),(uuid.uuid4(),1,'task.created',state)]
LOCK="LOCK TABLE stored_events IN EXCLUSIVE MODE"
INS="INSERT INTO stored_events (originator_id,originator_version,topic,state) SELECT * FROM unnest(%s::uuid[],%s::bigint[],%s::text[],%s::bytea[]) RETURNING notification_id"
def bare(c):
    for _ in range(N):
        r=rows()
        with c.transaction():
            c.execute(LOCK); c.execute(INS,list(map(list,zip(*r))))
def bare_values(c):
    q="INSERT INTO stored_events (originator_id,originator_version,topic,state) VALUES (%s,%s,%s,%s),(%s,%s,%s,%s)"
    for _ in range(N):
        r=rows()
        with c.transaction():
            c.execute(LOCK); c.execute(q,[*r[0],*r[1]])
def pipe(c):
    for _ in range(N):
        r=rows()
        with c.pipeline():
            c.execute("BEGIN"); c.execute(LOCK); cur=c.execute(INS,list(map(list,zip(*r)))); c.execute("COMMIT")
        cur.fetchall()
def pipe_notify(c):
    for _ in range(N):
        r=rows()
        with c.pipeline():
            c.execute("BEGIN"); c.execute("NOTIFY x");c.execute(LOCK); cur=c.execute(INS,list(map(list,zip(*r)))); c.execute("COMMIT")
        cur.fetchall()
def client(c):
    q=LOCK+"; INSERT INTO stored_events (originator_id,originator_version,topic,state) VALUES (%s,%s,%s,%s),(%s,%s,%s,%s) RETURNING notification_id"
    for _ in range(N):
        r=rows()
        cur=psycopg.ClientCursor(c); cur.execute(q,[*r[0],*r[1]]); cur.nextset(); cur.fetchall()
def nolock(c):
    q="INSERT INTO stored_events (originator_id,originator_version,topic,state) VALUES (%s,%s,%s,%s),(%s,%s,%s,%s)"
    for _ in range(N):
        r=rows(); c.execute(q,[*r[0],*r[1]])
with running_database() as d:
    u=d.url(); d.execute(DDL) if False else [d.execute(x) for x in DDL.split(";")]
    c=psycopg.connect(u,autocommit=True)
    for turn in range(2):
        for f in (nolock,bare,bare_values,pipe,pipe_notify,client):
            t=pc(); f(c); e=pc()-t; print(f.__name__, round(N/e))
    print(d.execute("select count(*) from stored_events"))
