"""Expressions for the comparison with Prometheus that were written by hand: odd spellings, what users bring, what must be refused."""

# Every one is valid, for the metrics of promql_cases.py.
EDGES = r"""
1
-1
+1
--1
- - 1
+-+1
.5
5.
1.5e3
1.5E+3
1e-3
1e+3
0x1F
0XfF
-0x10
010
007
08
Inf
inf
+Inf
-Inf
INF
iNf
NaN
nan
NAN
-NaN
Inf - Inf
NaN == bool NaN
NaN != bool NaN
Inf == bool Inf
1 / 0
-1 / 0
0 / 0
1 % 0
5 % 3
-5 % 3
5 % -3
5.5 % 2
Inf % 2
2 % Inf
-1^2
(-1)^2
2^3^2
(2^3)^2
2^-1
-2^-2
2 ^ 0.5
(-8) ^ (1 / 3)
1 + 2 * 3
(1 + 2) * 3
1 - 2 - 3
1 - (2 - 3)
12 / 2 / 3
2 * 3 % 4
7 % 4 * 2
1 + 2 == bool 3
1 < bool 2 < bool 3
1 == bool 1 == bool 1
3 atan2 4
-3 atan2 -4
0 atan2 0
1 atan2 2 * 3
2 * 3 atan2 4
1 > bool 2
2 >= bool 2
2 <= bool 1
1 != bool 2
-(1 + 2)
- 1 ^ 2 ^ 2
((((1))))
"a string"
'another'
`raw \n string`
"\n\t\\\"\x41\u00e9\U0001F600\101"
'it\'s'
""
"温度"
`"quoted"`
time()
pi()
pi() * 2
vector(1)
vector(time())
vector(-Inf)
vector(scalar(node_load1))
scalar(vector(1))
scalar(node_load1)
scalar(sum(node_load1))
scalar(nothing)
scalar(node_load1{instance="n1:9100"})
up
up{}
up{job="node"}
up{job="node",}
up{ job = "node" , instance =~ "n[12]:9100" }
up{job!="node"}
up{job=~"node"}
up{job=~"no"}
up{job=~"no.*"}
up{job=~".*o.*"}
up{job!~"no.*|web"}
up{job=~"node|web"}
up{job=~"(?i)NODE"}
up{job=~"n(o|x)de"}
up{job=~"[a-n].*"}
up{job=~"\\w+"}
up{job=~`\w+`}
up{job=~'^node$'}
up{job=~"n.d.", instance!~"n1.*"}
up{job=~".+", missing=""}
up{missing=~".*"}
up{missing!=""}
up{missing!~".+"}
up{job=~""}
up{job=~"|node"}
up{job="node", job=~"n.*"}
up{job="node", job!="node"}
up{job=~"node", instance=~"n1:.*", instance!="n2:9100"}
{job="node"}
{__name__="up"}
{__name__="up", job="web"}
{__name__=~"up|node_load1"}
{__name__=~"node_.*", instance="n1:9100", mode=""}
{__name__!="up", job="web"}
{__name__=~"node_load1|up", job="node"} > 0.5
{job=~"n.*", __name__!~"node_.*"}
count({__name__=~".+"})
count by (__name__) ({job="api"})
sum by (job) ({__name__=~"up|node_load1"})
up   {  job="node"  }
 up 
	up	{job="node"}	
up # a comment
sum (up)
sum by(job)(up)
sum by (job,) (up)
sum by () (up)
sum without () (up)
sum(up) by (job)
sum(up) by (job,)
sum(up) without (instance)
SUM(up)
Sum By (job) (up)
SUM(up) BY (job)
COUNT WITHOUT (instance) (up)
up OFFSET 5m
up Offset 1m
up AND up
up oR node_load1
up UNLESS node_load1
up == BOOL 1
1 ATAN2 2
node_load1 * ON (instance) up{job="node"}
node_load1 * Ignoring () up{job="node"}
node_load1 * on (instance) Group_Left (version) build_info{job="node"}
up @ START()
up @ END()
TopK(2, node_load1)
QUANTILE(0.5, node_load1)
Count_Values("v", up)
sum
sum + by
by
offset
offset offset 1m
start
end
start @ start()
group_left_metric
sum(sum)
sum by (by) (by)
sum by (on, sum) (keyword_labels)
keyword_labels{by="1"}
keyword_labels{on="2", sum="3"}
sum by (group_left, offset, bool) (keyword_labels)
keyword_labels{and="4"} and on (by) keyword_labels
keyword_labels{inf="5"}
sum by (start) (keyword_labels)
job:http_requests:rate5m
job:http_requests:rate5m{job="api"}
:odd:
and
or
unless
rate
label_replace(up, "a", "b", "job-x", ".*")
rate:sum
temperature_celsius{room="\"quoted\""}
temperature_celsius{room='"quoted"'}
temperature_celsius{room=`"quoted"`}
temperature_celsius{room="back\\slash"}
temperature_celsius{room=`back\slash`}
temperature_celsius{room="new\nline"}
temperature_celsius{room="Käse 温度"}
temperature_celsius{room=~".*温.*"}
temperature_celsius{room=~"K.se .*"}
temperature_celsius{room=~"(?s)new.line"}
temperature_celsius{room=~"new.line"}
temperature_celsius{room=~"\"quoted\""}
temperature_celsius{room=~"back\\\\slash"}
temperature_celsius{room=~"\\x{6e29}.*|.*\\p{Han}+"}
temperature_celsius{room=~"[[:alpha:]]+"}
temperature_celsius{room!~"[^a-z]+"}
up offset 1m
up offset -1m
up offset 1h30m
up offset 90s
up offset 1d
up offset 1m30s500ms
up offset 300s
up @ 1700003600
up @ 1700003600.123
up @ 1.7000036e9
up @ 0
up @ -1
up @ +1700003600
up @ 0x65543CD0
up @ start()
up @ end()
up @ 1700003600 offset 5m
up offset 5m @ 1700003600
up offset -5m @ end()
rate(http_requests_total[5m] @ 1700003600)
rate(http_requests_total[5m] offset 10m @ end())
rate(http_requests_total[5m] @ start() offset -1m)
sum_over_time(node_load1[5m:1m] @ 1700003600)
sum_over_time(node_load1[5m:] @ end() offset 1m)
max_over_time((node_load1 @ 1700003600)[5m:1m])
max_over_time((node_load1 offset 3m)[5m:1m] offset -3m)
node_load1[1m]
node_load1[1m] offset 1m
node_load1[1m] @ 1700003600
node_load1[2m:30s]
node_load1[2m:]
node_load1[30s:1m]
(node_load1)[2m:30s]
rate(http_requests_total[1m])[3m:1m]
max_over_time(rate(http_requests_total[1m])[10m:1m])
avg_over_time(rate(http_requests_total[1m])[10m:])
max_over_time(min_over_time(node_load1[1m])[5m:30s])
max_over_time(max_over_time(rate(http_requests_total[2m])[4m:40s])[8m:80s])
sum_over_time(vector(1)[5m:1m])
count_over_time(node_load1[5m:7s])
rate(http_requests_total[1y])
rate(http_requests_total[1w2d3h4m5s6ms])
increase(http_requests_total[90000ms])
rate(http_requests_total[15s])
rate(http_requests_total[16s])
rate(http_requests_total[30s])
irate(http_requests_total[30s])
delta(node_load1[14s])
1 + node_load1
node_load1 + 1
node_load1 - node_load1
node_load1 > 1
1 < node_load1
node_load1 > bool 1
1 < bool node_load1
node_load1 == node_load1
node_load1 == bool node_load1
node_load1 != node_load1
node_load1 > node_load1 offset 5m
node_load1 > bool node_load1 offset 5m
-node_load1
+node_load1
-node_load1 ^ 2
2 ^ node_load1
- sum(node_load1)
-{job="node", __name__="up"}
-up * -up
node_load1 % 1
node_load1 atan2 2
2 atan2 node_load1
node_load1 atan2 node_load1 offset 1m
up and up
up and up{job="node"}
up or node_load1
up unless up{job="node"}
up or up and up{job="web"}
(up or up) and up{job="web"}
up{job="api"} or up{job="node"} and up{job="web"}
up{job="api"} or up{job="node"} unless up{job="node"} or up{job="web"}
up and on () vector(1)
up and on () vector(0)
up and on () nothing
up or on () vector(1)
up unless on () vector(1)
vector(0) or up
up or vector(0)
up and on (instance) node_load1
up and ignoring (job) node_load1
up unless on (job) node_load1
node_load1 or on (instance) up
node_load1 and on (instance, job) up == 1
node_load1 > 1 and node_load1 < 2
node_load1 > 0 < 2
node_load1 + on (instance) up{job="node"}
node_load1 + on (instance, job) up{job="node"}
node_load1 + ignoring (nothing) up{job="node"}
node_load1 + on (instance,) up{job="node"}
node_load1 * on (instance) group_left up{job="node"}
node_load1 * on (instance) group_left () up{job="node"}
node_load1 * on (instance) group_left (version) build_info{job="node"}
node_load1 * on (instance) group_left (version, revision) build_info{job="node"}
node_load1 * on (instance) group_left (missing) build_info{job="node"}
build_info{job="node"} * on (instance) group_right (version) node_load1
build_info{job="node"} * on (instance) group_right node_load1
node_cpu_seconds_total * on (instance) group_left (version) build_info{job="node"}
node_cpu_seconds_total * on (instance) group_left up{job="node"}
node_cpu_seconds_total / ignoring (cpu, mode) group_left sum without (cpu, mode) (node_cpu_seconds_total)
sum without (cpu, mode) (node_cpu_seconds_total) / ignoring (cpu, mode) group_right node_cpu_seconds_total
http_requests_total / on (job) group_left sum by (job) (http_requests_total)
http_requests_total == on (job) group_left max by (job) (http_requests_total)
http_requests_total > bool on (job) group_left avg by (job) (http_requests_total)
avg by (job) (http_requests_total) < on (job) group_right http_requests_total
sum by (job) (http_requests_total) / on () group_left sum(http_requests_total)
sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (job) (rate(http_requests_total[5m]))
topk(3, http_requests_total)
bottomk(3, http_requests_total)
topk(1000, up)
topk(0, up)
topk(-1, up)
topk(1, node_load1) by (job)
topk by (instance) (2, node_cpu_seconds_total)
bottomk without (cpu) (1, node_cpu_seconds_total)
topk(scalar(count(node_load1)), node_load1)
topk(1.9, node_load1)
topk(NaN > bool 1, node_load1)
quantile(0.5, node_load1)
quantile(-1, node_load1)
quantile(2, node_load1)
quantile(NaN, node_load1)
quantile by (job) (0.9, http_requests_total)
quantile(0.5, special)
count_values("value", up)
count_values("v", node_load1 > bool 1)
count_values by (job) ("value", up)
count_values without (instance) ("value", up)
count_values("job", up)
count_values by (job) ("job", up)
count_values("v", special)
count_values("v", huge)
count_values("v", tiny)
count_values("v", temperature_celsius)
count_values("v", node_memory_MemTotal_bytes)
sum(special)
avg(special)
min(special)
max(special)
stddev(special)
stdvar(special)
count(special)
group(special)
sum(huge)
avg(huge)
avg(tiny)
stddev(tiny)
stdvar(huge)
sum(nothing)
count(nothing)
sort(node_load1)
sort_desc(node_load1)
sort(http_requests_total)
sort_desc(http_requests_total)
sort(special)
sort_desc(special)
sort(sum by (job) (http_requests_total))
sort_desc(topk(4, http_requests_total))
absent(nothing)
absent(nothing{a="b"})
absent(nothing{a="b", c="d", e=~"f.*", g!="h"})
absent(nothing{a="b", a="c"})
absent(nothing{a="b", a=~"c"})
absent(up)
absent(up{job="none"})
absent(sum(nothing))
absent({job="none"})
absent({__name__="nothing", job="x"})
absent(nothing > 1)
absent(-nothing{a="b"})
absent((nothing{a="b"}))
absent(nothing offset 5m)
absent(nothing{a=""})
absent_over_time(nothing[5m])
absent_over_time(nothing{a="b", c=~"d"}[5m])
absent_over_time(up[5m])
absent_over_time(gappy[1m])
absent_over_time(rate(nothing{a="b"}[5m])[5m:1m])
absent_over_time(nothing{a="b"}[5m:1m])
label_replace(up, "host", "$1", "instance", "(.*):.*")
label_replace(up, "host", "${1}-x", "instance", "(.*):.*")
label_replace(up, "host", "$1x", "instance", "(.*):.*")
label_replace(up, "host", "$host", "instance", "(?P<host>.*):.*")
label_replace(up, "host", "${host}!", "instance", "(?P<host>.*):(?P<port>.*)")
label_replace(up, "host", "$2$1$$", "instance", "(.*):(.*)")
label_replace(up, "host", "constant", "instance", ".*")
label_replace(up, "host", "constant", "instance", "n1")
label_replace(up, "host", "constant", "missing", "")
label_replace(up, "job", "$1", "instance", "(n.):.*")
label_replace(up, "host", "", "instance", ".*")
label_replace(up, "host", "$9", "instance", "(.*)")
label_replace(up, "__name__", "down", "job", "node")
label_replace(up, "__name__", "", "job", ".*")
label_replace(node_load1, "x", "$1", "__name__", "node_(.*)")
label_replace(rate(http_requests_total[5m]), "__name__", "r", "", "")
label_join(up, "all", "-", "job", "instance")
label_join(up, "all", "", "job", "missing", "instance")
label_join(up, "all", ",")
label_join(up, "job", "/", "job", "instance")
label_join(up, "all", "温", "job", "job")
label_join(up, "__name__", "_", "job", "__name__")
histogram_quantile(0.9, http_request_duration_seconds_bucket)
histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m]))
histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))
histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))
histogram_quantile(0, http_request_duration_seconds_bucket)
histogram_quantile(1, http_request_duration_seconds_bucket)
histogram_quantile(-0.1, http_request_duration_seconds_bucket)
histogram_quantile(1.1, http_request_duration_seconds_bucket)
histogram_quantile(NaN, http_request_duration_seconds_bucket)
histogram_quantile(0.9, no_inf_bucket)
histogram_quantile(0.9, uneven_bucket)
histogram_quantile(0.5, uneven_bucket)
histogram_quantile(0.9, negative_bucket)
histogram_quantile(0.1, negative_bucket)
histogram_quantile(0.9, empty_bucket)
histogram_quantile(0.9, only_inf_bucket)
histogram_quantile(0.9, odd_le_bucket)
histogram_quantile(0.9, node_load1)
histogram_quantile(scalar(node_load1{instance="n1:9100"}) / 10, http_request_duration_seconds_bucket)
histogram_quantile(0.5, http_request_duration_seconds_bucket > 10)
quantile_over_time(0.5, node_load1[5m])
quantile_over_time(-1, node_load1[5m])
quantile_over_time(2, node_load1[5m])
quantile_over_time(NaN, node_load1[5m])
quantile_over_time(0.5, special[5m])
quantile_over_time(scalar(up{instance="n1:9100"}), node_load1[5m])
holt_winters(node_load1[5m], 0.5, 0.5)
holt_winters(node_load1[30s], 0.1, 0.9)
holt_winters(node_load1[10s], 0.1, 0.9)
predict_linear(node_load1[10m], 3600)
predict_linear(node_load1[10m], -60)
predict_linear(node_filesystem_avail_bytes[1h], 4 * 3600)
predict_linear(constant[10m], 60)
deriv(constant[10m])
deriv(special[10m])
deriv(node_load1[15s])
clamp(node_load1, 1, 2)
clamp(node_load1, 2, 1)
clamp(node_load1, NaN, 1)
clamp(node_load1, 1, NaN)
clamp(node_load1, -Inf, Inf)
clamp_max(special, 1)
clamp_min(special, 1)
clamp_min(node_load1, NaN)
clamp_max(node_load1, NaN)
round(node_load1)
round(node_load1, 0.1)
round(node_load1, 5)
round(node_load1, 0)
round(node_load1, -1)
round(node_load1, NaN)
round(temperature_celsius)
round(vector(0.5))
round(vector(-0.5))
round(vector(1.5))
round(vector(-2.5))
round(vector(2.675), 0.01)
ceil(vector(-0.5))
floor(vector(-0.5))
sgn(vector(-0))
sgn(special)
1 / ceil(vector(-0.5))
1 / vector(-0)
abs(vector(-0)) / 0
sqrt(vector(-1))
ln(vector(0))
ln(vector(-1))
log2(vector(8))
log10(vector(1000))
exp(vector(1000))
exp(vector(-1000))
exp(huge)
ln(huge)
ln(tiny)
sin(huge)
asin(vector(2))
acosh(vector(0))
atanh(vector(1))
deg(vector(pi()))
rad(vector(180))
day_of_month()
day_of_week()
day_of_year()
days_in_month()
hour()
minute()
month()
year()
day_of_month(epoch_seconds)
day_of_week(epoch_seconds)
day_of_year(epoch_seconds)
days_in_month(epoch_seconds)
hour(epoch_seconds)
minute(epoch_seconds)
month(epoch_seconds)
year(epoch_seconds)
hour(vector(time() + 3600))
year(vector(-1))
minute(vector(59.99))
hour(vector(-0.5))
year(special)
month(vector(NaN))
day_of_week() == 2 and hour() > 10
timestamp(up)
timestamp(up offset 5m)
timestamp(up @ 1700003600)
timestamp(jittered)
timestamp(sparse)
timestamp(sum(up))
timestamp(-up)
timestamp((up))
timestamp(timestamp(up))
timestamp(vector(1))
time() - timestamp(sparse)
timestamp(up + 0)
timestamp(last_over_time(up[5m]))
changes(stale_marked[10m])
resets(stale_marked[10m])
count_over_time(stale_marked[10m])
last_over_time(stale_marked[10m])
last_over_time(gappy[10m])
present_over_time(gappy[10m])
stale_marked
gappy
late
early
jittered
sparse
special
rate(special[5m])
changes(special[5m])
resets(special[5m])
delta(special[5m])
idelta(special[5m])
sum_over_time(special[5m])
avg_over_time(special[5m])
min_over_time(special[5m])
max_over_time(special[5m])
stddev_over_time(special[5m])
stdvar_over_time(special[5m])
sum_over_time(huge[5m])
avg_over_time(huge[5m])
avg_over_time(tiny[5m])
stdvar_over_time(huge[5m])
increase(resetting_total[30m])
rate(resetting_total[5m])
resets(resetting_total[30m])
rate(early[5m])
rate(late[5m])
increase(from_zero_total[5m])
increase(from_zero_total[30m])
delta(from_zero_total[30m])
bool_metric > bool 0
up{job="node"} == bool on (instance) node_load1
group by (job) (up)
group(up) * 5
sum(up) + count(up)
avg by (job) (up) == 1
avg by (nothing) (up)
sum by (__name__) (up)
sum without (__name__) (up)
max by (__name__, job) ({job="node"})
count without (instance, job) (up)
sum by (job, job) (up)
up + on (job, instance) up
up * on (job, instance) group_left () up
max_over_time(up[5m]) == 0
(up)
((up))
up{job="node"}[5m]
(sum(up))[5m:1m]
1 + (2 + (3 + (4 + 5)))
scalar(up{instance="n1:9100"}) + 1 > bool 1
vector(1) == vector(1)
vector(1) > bool vector(0)
vector(1) + vector(2)
vector(1) or vector(2)
vector(1) and vector(2)
vector(1) unless vector(2)
absent(vector(1))
label_replace(vector(1), "a", "b", "", "")
label_replace(vector(1), "a", "b", "", "") or label_replace(vector(2), "a", "c", "", "")
sum(label_replace(vector(1), "a", "b", "", "") or vector(2))
sum by (a) (label_replace(vector(1), "a", "b", "", "") or vector(2))
quantile(scalar(small_ratio{part="b"}), node_load1)
quantile by (job) (time() % 100 / 100, http_requests_total)
topk(scalar(count(late)), node_cpu_seconds_total)
bottomk(time() / 15 % 4, node_cpu_seconds_total)
quantile_over_time(scalar(small_ratio{part="b"}), node_load1[5m])
quantile_over_time(time() % 100 / 100, node_load1[5m])
clamp(node_load1, scalar(small_ratio{part="a"}), scalar(small_ratio{part="b"}) + 1)
clamp_max(node_load1, time() % 3)
clamp_min(node_load1, time() % 3)
round(node_load1, scalar(small_ratio{part="b"}))
predict_linear(node_load1[5m], time() % 1000)
predict_linear(node_load1[5m] offset 2m, 60)
predict_linear(node_load1[5m] @ 1700003600, 60)
predict_linear(node_load1[5m:30s] offset 1m, 60)
deriv(node_load1[5m] offset 2m)
holt_winters(node_load1[5m], scalar(small_ratio{part="b"}) / 2 + 0.1, 0.5)
histogram_quantile(time() % 100 / 100, http_request_duration_seconds_bucket)
histogram_quantile(scalar(small_ratio{part="b"}), sum by (le) (rate(http_request_duration_seconds_bucket[5m])))
label_replace(small_ratio, "at", "$1", "part", "(.)") * time()
vector(scalar(late{n="2"}))
scalar(late{n="1"}) + 1
scalar(stale_marked{n="2"})
node_load1 * scalar(late{n="0"})
vector(time() % 7) > 3
sum_over_time(node_load1[5m:1m] @ start()) + node_load1
rate(http_requests_total[5m] @ end()) / rate(http_requests_total[5m])
node_load1 - node_load1 @ start()
topk(2, node_load1 @ end())
node_load1 and topk(2, node_load1 @ end())
absent(nothing @ start())
timestamp(node_load1 @ start())
timestamp(node_load1 @ 1700003600)
timestamp(node_load1 @ 1700003600 offset 1m)
timestamp(sparse offset 3m)
timestamp(sparse offset -3m)
vector(time()) and on () (up @ start())
max_over_time((node_load1 @ start())[5m:1m] @ end())
sum_over_time((node_load1 @ 1700003600 + node_load1)[5m:1m])
sum_over_time((time() + node_load1 * 0)[5m:1m] @ 1700003600)
max_over_time(timestamp(node_load1)[5m:45s])
max_over_time(vector(time())[5m:45s] offset 20s)
max_over_time(vector(time())[5m:45s] @ 1700003612.345)
max_over_time(vector(time())[5m:])
rate(vector(time())[5m:45s])
increase(vector(time())[5m:7s])
sum(node_load1 @ 1700003600) + sum(node_load1 @ 1700003600)
sum(node_load1 @ 1700003600) + time()
day_of_month(epoch_seconds @ 1700003600)
count_values("v", up @ 1700003600)
sort(node_load1 @ 1700003600)
label_replace(up @ 1700003600, "a", "$1", "job", "(.*)")
histogram_quantile(0.9, http_request_duration_seconds_bucket @ end())
time() - (1700003600 + 1)
up{job=~"(?P<a>x)(?P<a>y)"}
up{job=~"(?P<1a>x)|node"}
up @ 1700003600.1234
up @ 1700003600.0004
up @ 1700003599.9999
up @ 1e3
node_load1 offset 7200s
node_load1 offset -7200s
node_load1 offset 2h @ end()
node_load1 offset 1w
rate(http_requests_total[5m] offset -5m)
rate(http_requests_total[5m:30s] offset -5m)
0X1F
0xabcdef
9223372036854775807
9223372036854775808
18446744073709551616
0777
0777777777777777777777777
1e-400
4.9e-324
1.7976931348623157e308
00
0.0
-0.0
1e0
0.1 + 0.2
123456789012345678901234567890
0.000001
1e21
1e20
2^53 + 1
10^20
10^21
10^-7
label_replace(up, "host", "$", "instance", "(.*)")
label_replace(up, "host", "$$1", "instance", "(.*)")
label_replace(up, "host", "${", "instance", "(.*)")
label_replace(up, "host", "${1", "instance", "(.*)")
label_replace(up, "host", "${1}${1}", "instance", "(.*)")
label_replace(up, "host", "$1_", "instance", "(.*)")
label_replace(up, "host", "$-", "instance", "(.*)")
label_replace(up, "host", "$01", "instance", "(.*)")
label_replace(up, "host", "${01}", "instance", "(.*)")
label_replace(up, "host", "$é", "instance", "(.*)")
label_replace(up, "host", "\\1", "instance", "(.*)")
label_replace(up, "host", "$0", "instance", "(n.).*")
label_replace(up, "host", "$a-$b", "instance", "(?P<a>.)(?P<b>.*)")
label_replace(up, "host", "$a", "instance", "(?P<a>n.)?.*")
label_replace(up, "host", "$1", "instance", "(n1)?.*")
label_replace(up, "host", "$1", "instance", "n1|(.*)")
label_replace(up, "host", "$1", "instance", "(?i)(N.).*")
label_replace(up, "host", "$1", "instance", "(.+?)(:.*)?")
label_replace(up, "host", "$1", "instance", "(\\d+)")
label_replace(temperature_celsius, "made", "<$1>", "room", "(.*)")
label_replace(temperature_celsius, "made", "<$1>", "room", "(?s)(.*)")
label_replace(temperature_celsius, "made", "$1", "room", ".*?(\\p{Han}+).*")
label_replace(temperature_celsius, "made", "$1", "room", "(.).*")
label_join(temperature_celsius, "made", "\n", "room", "room")
up{job=~"\\Qnode\\E"}
up{job=~"[[:word:]]+"}
up{job=~"\\pL+"}
up{job=~"\\p{Greek}*|node"}
up{instance=~"\\D\\d:\\d{4}"}
up{instance=~"\\bn1\\b.*"}
up{job=~"\\Anode\\z"}
up{job=~"(?U)n.*"}
up{job=~"(?:n)(o)(?P<x>d)e"}
up{job=~"a||b|node"}
up{job=~"n{1}ode"}
up{job=~"no{,2}de"}
up{job=~"no{0,1000}de"}
up{job=~"[^\\W]+"}
up{job=~"[n-nw-w].*"}
up{job=~"no\\x64e"}
up{job=~"(?i:NO)de"}
up{job=~"(?i:NO)DE"}
up{job=~"^^node$$"}
up{job=~"node$|^web"}
up{job=~"(^node)"}
up{job=~"()node"}
up{job=~"n\\Bode"}
up{job=~"node\\n?"}
up{instance=~"n1.9100"}
up{instance=~"n1\\.9100"}
up{job=~"NODE"}
up{job!~"(?i)NODE|WEB"}
up{job!~""}
up{instance=~"(n1|n2|w1):.*"}
up{instance=~"n1:9100|n2:9100|w1:80"}
temperature_celsius{room=~"\\S+"}
temperature_celsius{room=~"[\"a-z]+"}
temperature_celsius{room=~"k(?i)ÄSE.*|(?i)KÄSE.*"}
temperature_celsius{room=~"K\\w+.*"}
temperature_celsius{room="Ka\u0308se 温度"}
temperature_celsius{room="K\u00e4se \u6e29\u5ea6"}
temperature_celsius{room="\x4b\u00e4se 温度"}
temperature_celsius{room="\160\154ain"}
temperature_celsius{room='pl\x61in'}
node_load1 > on (instance) up and up == 1
node_load1 + node_load1 > bool node_load1 * 2 - 1
node_load1 * 2 ^ 2 - -1
2 ^ -node_load1 ^ 2
-1 ^ node_load1
node_load1 == bool 1 or node_load1 != bool 1 unless node_load1
node_load1 atan2 node_load1 + 1
node_load1 % 2 * 3 atan2 4 / 5
node_load1 > bool 1 == bool 0
up == 1 == 1
up == (1 == bool 1)
sum(up) by (job) + on (job) sum(up) by (job) > on (job) count(up) by (job)
-sum by (job) (-up) ^ 2
+sum without (instance) (up)
sum(sum(sum(up)))
avg(avg_over_time(rate(http_requests_total[2m])[10m:2m]))
max(max by (job) (up)) or min(up)
stddev by (job) (http_requests_total) / avg by (job) (http_requests_total)
group without (instance, job) (up)
group by (version) (build_info) unless on (version) build_info{version="2.0.1"}
count(count_values("v", http_requests_total))
sum by (v) (count_values("v", up))
count_values without (job) ("instance", up)
count_values by (v) ("v", up)
count_values("le", http_request_duration_seconds_bucket > bool 100)
absent_over_time(late{n="2"}[5m])
absent_over_time({job="gone"}[5m])
absent_over_time({__name__=~"gone", job="x"}[5m])
absent(late{n="2"})
absent(late{n="2"} > 1e9)
absent(rate(late{n="2"}[5m]))
absent(nothing{a="b"} offset 1m)
absent(nothing{a="b"} @ end())
absent(nothing{a="x"}) and absent(nothing{b="y"})
absent(vector(scalar(nothing)) > 1)
absent(sum by (job) (nothing{job="x"}))
absent(+nothing{a="b"})
absent(-(nothing{a="b"}))
timestamp(+sparse)
timestamp(-sparse)
timestamp(((sparse)))
timestamp((+(sparse)))
timestamp(sparse{n="1"} or sparse)
+sparse
+{__name__=~"up|node_load1"}
++up
+-up
(+up)[5m:1m]
max_over_time((+up)[5m:1m])
+up offset 5m
-up offset 5m
+sum(up)
+up == up
sort(+node_load1)
up{job="node"} or absent(up{job="gone"})
sum(up{job="gone"}) or absent(up{job="gone"}) * 0
"""

# Dashboards and alert rules that people run: node_exporter's, of the mixins, of kube, mysql, postgres and redis.
USERS = r"""
100 - (avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) * 100)
100 * (1 - avg by (instance) (irate(node_cpu_seconds_total{mode="idle"}[1m])))
sum by (mode) (irate(node_cpu_seconds_total{instance=~"n1:9100"}[1m])) * 100
sum by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[2m])) / on (instance) count by (instance) (sum by (instance, cpu) (node_cpu_seconds_total))
count without (cpu, mode) (node_cpu_seconds_total{mode="idle"})
count(count(node_cpu_seconds_total{instance="n1:9100"}) by (cpu))
avg(node_load1) / count(count(node_cpu_seconds_total) by (cpu, instance)) * 100
node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode="system"}) > 0.2
(1 - (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)) * 100
node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes
node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * 100 < 50
((node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes) / node_memory_MemTotal_bytes) > 0.3
100 - ((node_filesystem_avail_bytes{mountpoint="/"} * 100) / node_filesystem_size_bytes{mountpoint="/"})
node_filesystem_avail_bytes{fstype!="tmpfs"} / node_filesystem_size_bytes{fstype!="tmpfs"} * 100 < 60
(node_filesystem_avail_bytes * 100) / node_filesystem_size_bytes < 60 and on (instance, device, mountpoint) node_filesystem_readonly == 0
predict_linear(node_filesystem_avail_bytes{mountpoint="/"}[1h], 24 * 3600) < 0
(node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.7) and (predict_linear(node_filesystem_avail_bytes[30m], 24 * 60 * 60) < 0)
(node_filesystem_size_bytes - node_filesystem_avail_bytes) / ignoring (nothing) node_filesystem_size_bytes
max by (instance) (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)
sum by (instance) (rate(node_network_receive_bytes_total{device!="lo"}[2m])) * 8
rate(node_network_receive_bytes_total{device!~"lo|veth.*"}[5m]) > 1e3
irate(node_network_receive_bytes_total[5m]) * 8 / 1024 / 1024
sum without (device) (rate(node_network_receive_bytes_total[1m]))
-rate(node_network_receive_bytes_total{device="eth0"}[1m]) * 8
rate(node_disk_io_time_seconds_total[5m]) * 100
topk(3, rate(node_disk_io_time_seconds_total[5m]))
time() - node_boot_time_seconds
(time() - node_boot_time_seconds) / 86400 > 1
changes(node_boot_time_seconds[10m]) > 0
avg_over_time(node_load1[1h])
max_over_time(node_load1[1h]) - min_over_time(node_load1[1h])
quantile_over_time(0.95, node_load1[30m])
node_load1 > on (instance) group_left () (2 * avg by (instance) (avg_over_time(node_load1[30m])))
(node_load1 - avg_over_time(node_load1[30m])) / stddev_over_time(node_load1[30m])
abs(node_load1 - avg_over_time(node_load1[1h])) > 2 * stddev_over_time(node_load1[1h])
deriv(node_memory_MemAvailable_bytes[10m]) < 0
holt_winters(node_load1[20m], 0.3, 0.3)
up == 0
absent(up{job="node"})
absent(up{job="mysql"})
avg by (job) (up) < 1
sum(up) by (job) / count(up) by (job)
count(up == 0) by (job) / count(up) by (job) > 0.5
sum by (job) (up == bool 0)
min_over_time(up[10m]) == 0
avg_over_time(up[30m]) * 100
100 * (count by (job) (up == 0) / count by (job) (up)) > 10
count by (job) (up == 0) or sum by (job) (up) * 0
ALERTS_like{alertstate="firing"} == 1
up * on (instance) group_left (version) build_info
count by (version) (build_info)
count_values by (job) ("version", build_info)
count by (job, version) (build_info) > 1
sum by (job, version) (up * on (job, instance) group_left (version) build_info)
max by (job, version) (build_info * on (instance) group_left () (time() - node_boot_time_seconds))
sum(rate(http_requests_total[5m]))
sum by (job) (rate(http_requests_total[5m]))
sum by (job, code) (rate(http_requests_total[5m]))
sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m])) * 100
sum by (job) (rate(http_requests_total{code!~"5.."}[5m])) / sum by (job) (rate(http_requests_total[5m]))
1 - sum by (job) (rate(http_requests_total{code=~"5.."}[30m])) / sum by (job) (rate(http_requests_total[30m]))
(1 - sum(rate(http_requests_total{code="500"}[1h])) / sum(rate(http_requests_total[1h]))) >= bool 0.999
sum(rate(http_requests_total{code="500"}[5m])) > (14.4 * 0.001) * sum(rate(http_requests_total[5m])) and sum(rate(http_requests_total{code="500"}[1h])) > (14.4 * 0.001) * sum(rate(http_requests_total[1h]))
sum by (job) (increase(http_requests_total[1h]))
sum(increase(http_requests_total{job="api"}[10m])) by (method, code)
topk(5, sum by (instance, code) (rate(http_requests_total[5m])))
bottomk(2, sum by (instance) (rate(http_requests_total[10m])))
sum by (job) (rate(http_requests_total[5m])) / on (job) group_left count by (job) (up)
sum by (job) (rate(http_requests_total[5m])) > 1.2 * sum by (job) (rate(http_requests_total[5m] offset 30m))
sum by (job) (rate(http_requests_total[5m])) - sum by (job) (rate(http_requests_total[5m] offset 1h))
sum(rate(http_requests_total[5m])) / sum(rate(http_requests_total[5m] offset 1h)) - 1
rate(http_requests_total{job="api", method="GET"}[5m]) or vector(0)
sum(rate(http_requests_total{job="gone"}[5m])) or vector(0)
sum(rate(http_requests_total{code=~"5.."}[5m])) or on () vector(0)
label_replace(sum by (instance) (rate(http_requests_total[5m])), "host", "$1", "instance", "([^:]+):.*")
sum by (host) (label_replace(rate(http_requests_total[5m]), "host", "$1", "instance", "(.+):\\d+"))
job:http_requests:rate5m / 60
avg_over_time(job:http_requests:rate5m[1h])
sum by (job) (avg_over_time(job:http_requests:rate5m[30m:1m]))
max_over_time(sum(rate(http_requests_total[1m]))[30m:1m])
min_over_time((sum by (job) (rate(http_requests_total[2m])))[20m:2m])
avg_over_time((sum(rate(http_requests_total{code="500"}[5m])) / sum(rate(http_requests_total[5m])))[30m:5m])
quantile_over_time(0.9, sum(rate(http_requests_total[1m]))[30m:30s])
sum_over_time((up == bool 0)[30m:1m])
count_over_time((up == 1)[30m:30s]) / 60
stddev_over_time(rate(http_requests_total[5m])[30m:1m])
deriv(rate(http_requests_total[5m])[20m:1m])
changes((up == bool 1)[1h:15s])
histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[5m])) by (le))
histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[5m])) by (le, job))
histogram_quantile(0.99, rate(http_request_duration_seconds_bucket{job="api"}[10m])) > 0.5
histogram_quantile(0.5, sum by (le, instance) (increase(http_request_duration_seconds_bucket[30m])))
rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])
sum by (job) (rate(http_request_duration_seconds_sum[5m])) / sum by (job) (rate(http_request_duration_seconds_count[5m]))
sum(rate(http_request_duration_seconds_bucket{le="0.5"}[5m])) by (job) / sum(rate(http_request_duration_seconds_count[5m])) by (job)
(sum(rate(http_request_duration_seconds_bucket{le="0.1"}[5m])) by (job) + sum(rate(http_request_duration_seconds_bucket{le="0.5"}[5m])) by (job)) / 2 / sum(rate(http_request_duration_seconds_count[5m])) by (job)
sum by (le) (increase(http_request_duration_seconds_bucket[10m]))
rate(mysql_global_status_queries_total[5m])
mysql_global_status_threads_connected / mysql_global_variables_max_connections * 100 > 20
max_over_time(mysql_global_status_threads_connected[5m]) / mysql_global_variables_max_connections > 0.1
increase(mysql_global_status_slow_queries_total[5m]) > 0
mysql_up == 0
mysql_slave_lag_seconds > 30
sum(pg_stat_database_numbackends) > 10
sum by (datname) (pg_stat_database_numbackends) / on () group_left () pg_settings_max_connections * 100
sum(rate(pg_stat_database_xact_commit_total[5m])) by (datname) + sum(rate(pg_stat_database_xact_rollback_total[5m])) by (datname)
rate(pg_stat_database_xact_rollback_total[5m]) / ignoring (nothing) rate(pg_stat_database_xact_commit_total[5m]) > 0.02
sum(pg_stat_database_blks_hit) / (sum(pg_stat_database_blks_hit) + sum(pg_stat_database_blks_read))
increase(pg_stat_database_deadlocks_total[10m]) > 0
redis_memory_used_bytes / redis_memory_max_bytes * 100
redis_memory_used_bytes / redis_memory_max_bytes > 0.9 and redis_memory_max_bytes > 0
rate(redis_keyspace_hits_total[5m]) / (rate(redis_keyspace_hits_total[5m]) + rate(redis_keyspace_misses_total[5m]))
redis_connected_clients > 5
increase(redis_rejected_connections_total[1m]) > 0
delta(redis_connected_clients[10m])
count(redis_up == 1) - 1
kube_pod_status_phase{phase="Pending"} == 1
sum by (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Unknown"}) * on (namespace, pod) group_left (owner_kind) topk by (namespace, pod) (1, max by (namespace, pod, owner_kind) (kube_pod_owner{owner_kind!="Job"}))) > 0
increase(kube_pod_container_status_restarts_total[1h]) > 1
rate(kube_pod_container_status_restarts_total[10m]) * 60 * 5 > 0
max_over_time(kube_pod_container_status_restarts_total[5m]) - min_over_time(kube_pod_container_status_restarts_total[30m] offset 5m)
sum by (namespace) (kube_pod_container_resource_requests{resource="cpu"})
sum by (namespace, pod, resource) (kube_pod_container_resource_requests) * on (namespace, pod) group_left () max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)
sum(kube_pod_container_resource_requests{resource="memory"}) / sum(node_memory_MemTotal_bytes)
count by (namespace) (kube_pod_status_phase{phase="Running"} == 1)
kube_pod_owner * on (namespace, pod) group_right (owner_kind, owner_name) kube_pod_container_status_restarts_total
label_replace(kube_pod_owner, "workload", "$1", "owner_name", "(.*)-.*")
count by (owner_kind) (kube_pod_owner)
sum by (namespace) (rate(kube_pod_container_status_restarts_total[15m])) or sum by (namespace) (kube_pod_owner * 0)
day_of_week() >= 1 and day_of_week() <= 5 and hour() > 8 and hour() < 20
(sum(up) > 1) and on () hour() >= 0 < 24
up == 0 unless on () (hour() >= 1 < 2)
vector(time()) - timestamp(up)
time() - max(timestamp(sparse))
time() - timestamp(node_load1) > 10
scalar(sum(rate(http_requests_total[5m]))) * 60
node_load1 > scalar(avg(node_load1))
(node_load1 > scalar(quantile(0.5, node_load1))) * 100
clamp_max(node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes, 1)
clamp(temperature_celsius, 0, 30)
round(temperature_celsius * 9 / 5 + 32, 0.1)
temperature_celsius > 20 or temperature_celsius < 0
avg_over_time(temperature_celsius[10m]) - temperature_celsius
sort_desc(sum by (job) (rate(http_requests_total[5m])))
sort(100 * node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)
last_over_time(sparse[10m])
present_over_time(late[5m])
sum(present_over_time(up[1h]))
absent_over_time(up{job="node"}[5m])
absent(http_requests_total{job="api", code="418"})
sum(rate(http_requests_total{job=~"api|web", code=~"[45].."}[5m])) by (job, code) > 0
sum by (job) (http_requests_total) / scalar(sum(http_requests_total)) * 100
http_requests_total - http_requests_total offset 1h
sum_over_time(increase(http_requests_total{job="web"}[5m])[30m:5m])
"""

# Every one must be refused, by the parser or when it is evaluated over the samples.
ERRORS = r"""
up{
up}
up{job}
up{job=}
up{job=node}
up{job="node"
up{job="node"}}
up{job=="node"}
up{job<"node"}
up{=“x”}
up{"job"="x"}
up{job="node" instance="x"}
up{,}
up{,job="node"}
up{job="node",,}
up{1="x"}
up{a-b="x"}
up{a:b="x"}
up{job=~"("}
up{job=~"[a"}
up{job=~"*"}
up{job=~"a**"}
up{job=~"(?<n>a)"}
up{job=~"(?=a)"}
up{job!~"a{2000}"}
up{job=~"\xff"}
{}
{job=""}
{job=~".*"}
{job!="x"}
{job!~"x"}
{job=~""}
{job=~".*", instance!="x"}
up{__name__="up"}
up{__name__=~"u.*"}
up{job="a\qb"}
up{job="unfinished}
up{job='unfinished"}
"unfinished
'unfinished
`unfinished
"bad \xzz escape"
"bad \u12 escape"
"bad \400 escape"
(
)
()
(up
up)
((up)
[5m]
up[
up[]
up[5m
up[5]
up[m]
up[5x]
up[5m5m]
up[1s1m]
up[-5m]
up[0s]
up[1.5m]
up[5 m]
up[5m:
up[5m:0s]
up[:1m]
up[5m::1m]
up[5m][5m]
up[5m:1m][5m:1m]
(up[5m])[5m:1m]
rate(up[5m])[5m]
(up)[5m]
sum(up)[5m]
5[5m]
"x"[5m]
"x"[5m:1m]
up offset
up offset 5
up offset up
up offset "5m"
up offset 5m5m
up offset 1m offset 2m
up offset --1m
(up) offset 1m
sum(up) offset 1m
rate(up[5m]) offset 1m
1 offset 1m
"x" offset 1m
up @
up @ up
up @ "5"
up @ start
up @ start(
up @ middle()
up @ Inf
up @ NaN
up @ -Inf
up @ 1e30
up @ 1 @ 2
up @ 5m
(up) @ 1
sum(up) @ 1
1 @ 1
pi() @ 1
up offset 1m @ 1 offset 1m
rate(up @ 1)
1 +
+ 
- 
* 1
1 * * 1
1 ** 2
1 // 2
1 = 1
1 == 1
1 > 2
1 != time()
time() == 3
1 <> 2
1 =~ 2
up =~ up
up !~ "x"
up & up
up | up
!up
~up
up ? 1 : 2
up;
up,up
up up
1 2
1 up
up 1
1.2.3
1e
1e+
0x
0xg
1x
1abc
0x1.5
.
..
1..2
$x
%x
@1
up and 1
1 and up
1 or 2
1 unless up
up or time()
scalar(up) and up
up and bool up
up or bool up
up + bool up
up * bool 2
bool up
bool
1 + bool 2
up == bool bool up
"a" + "b"
"a" == "a"
"a" == bool "a"
"a" + 1
up + "a"
up and "a"
-"a"
+"a"
-up[5m]
up[5m] + 1
1 + up[5m]
up[5m] and up
up[5m] + up[5m]
up + on up
up + on (job
up + on (job)
up + on () up
up + on (job) 
1 + on (job) up
up + on (job) 1
1 + on (job) 2
up + ignoring (job) 1
up + on (1) up
up + on ("job") up
up + on (job;instance) up
up + on (,) up
up + group_left up
up + group_left (version) up
up + on (job) on (job) up
up + on (job) ignoring (job) up
up + on (job) group_left group_right up
up + on (instance) group_left (instance) up
up + on (job) group_left (job, version) up
up and on (instance) group_left up
up or on (instance) group_right up
up unless on (instance) group_left (version) up
up and group_left up
up + ignoring (instance) up
up + on (job) up
up == on (job) up
up + on (job) node_load1
node_load1 + on (job) group_left up
node_load1 * on (instance) node_cpu_seconds_total
node_cpu_seconds_total * on (instance) node_load1
node_load1 * on (instance) group_left node_cpu_seconds_total
node_cpu_seconds_total * on (instance) group_right node_load1
node_cpu_seconds_total * on (instance) group_left (mode) node_cpu_seconds_total
build_info * on (job) group_left (version) up
node_cpu_seconds_total{mode="idle"} * ignoring (mode, cpu) group_left node_cpu_seconds_total
up{job="node"} * on (job) group_left (version) build_info
sum(
sum()
sum(up
sum up
sum by up
sum by (job)
sum by (job) up
sum by job (up)
sum by (job) (up) by (job)
sum by (job) without (job) (up)
sum by (1) (up)
sum by ("job") (up)
sum by (job instance) (up)
sum by (,) (up)
sum by (a-b) (up)
sum(up, up)
sum(1)
sum("x")
sum(up[5m])
sum(time())
avg(1, up)
count(scalar(up))
topk(up)
topk(1)
topk(1, up, up)
topk("1", up)
topk(up, up)
topk(up, 1)
topk(1, up[5m])
topk(NaN, up)
topk(Inf, up)
bottomk(1e30, up)
quantile(up)
quantile("x", up)
quantile(0.5, 1)
quantile(up, up)
count_values(up)
count_values(1, up)
count_values(up, up)
count_values("", up)
count_values("a-b", up)
count_values("v", 1)
count_values("v", up[5m])
count_values("1a", up)
median(up)
limitk(1, up)
nothing(up)
RATE(up[5m])
Rate(up[5m])
rate +
0o17
label_replace(up, "instance", "", "instance", "(.*)")
sum by (inf) (keyword_labels)
rate()
rate(up)
rate(1)
rate("x")
rate(up[5m], 1)
rate(sum(up))
rate(up[5m],)
rate(,up[5m])
abs(up,)
abs()
abs(1)
abs("x")
abs(up[5m])
abs(up, up)
abs by (job) (up)
abs(up) by (job)
absent(1)
absent()
absent_over_time(up)
time(1)
time(up)
pi(1)
vector()
vector(up)
vector("x")
vector(1, 2)
scalar()
scalar(1)
scalar("x")
scalar(up[5m])
scalar(up, up)
round()
round(1)
round(up, up)
round(up, 1, 1)
round(up, "x")
clamp(up)
clamp(up, 1)
clamp(up, 1, 2, 3)
clamp(up, up, up)
clamp_max(up)
clamp_min(1, up)
hour(1)
hour(up, up)
year("x")
month(up[5m])
timestamp(1)
timestamp(up[5m])
sort(1)
sort(up[5m])
sort_desc()
histogram_quantile(0.9)
histogram_quantile(up, up)
histogram_quantile(0.9, 1)
histogram_quantile(0.9, up[5m])
histogram_quantile("x", up)
quantile_over_time(up[5m])
quantile_over_time(up[5m], 0.5)
quantile_over_time(up, up[5m])
quantile_over_time(0.5, up)
predict_linear(up[5m])
predict_linear(up, 1)
predict_linear(up[5m], up)
predict_linear(up[5m], "x")
holt_winters(up[5m])
holt_winters(up[5m], 0.5)
holt_winters(up, 0.5, 0.5)
holt_winters(up[5m], 0, 0.5)
holt_winters(up[5m], 0.5, 1)
holt_winters(up[5m], 1.5, 0.5)
holt_winters(up[5m], -1, 0.5)
holt_winters(up[5m], 0.5, 0)
label_replace(up)
label_replace(up, "a", "b", "c")
label_replace(up, "a", "b", "c", "d", "e")
label_replace(up, a, "b", "c", "d")
label_replace(up, "a", 1, "c", "d")
label_replace(1, "a", "b", "c", "d")
label_replace(up[5m], "a", "b", "c", "d")
label_replace(up, "a", "b", "job", "(")
label_replace(up, "a", "b", "job", "(?=a)")
label_replace(up, "", "b", "job", ".*")
label_replace(up, "a-b", "b", "job", ".*")
label_replace(up, "1a", "b", "job", ".*")
label_replace(up, "instance", "x", "job", ".*")
label_replace(up, "instance", "", "job", ".*")
label_join(up)
label_join(up, "a")
label_join(up, "a", 1, "job")
label_join(up, "a", "-", job)
label_join(up, "", "-", "job")
label_join(up, "a-b", "-", "job")
label_join(up, "a", "-", "job-x")
label_join(up, "instance", "-", "job")
label_join(1, "a", "-", "job")
abs({__name__=~"up|node_load1"})
rate({__name__=~"up|node_load1"}[5m])
-{__name__=~"up|node_load1"}
{__name__=~"up|node_load1"} * 2
2 * {__name__=~"up|node_load1"}
{__name__=~"up|node_load1"} > bool 2
sum_over_time({__name__=~"up|node_load1"}[5m])
avg_over_time({__name__=~"node_memory_.*"}[5m])
timestamp({__name__=~"up|node_load1"})
ceil({__name__=~"node_memory_.*"})
label_replace({job="node", __name__=~"up|node_load1"}, "__name__", "x", "", "")
sum_over_time(abs({__name__=~"up|node_load1"})[5m:1m])
{__name__=~"up|node_load1"} + {__name__=~"up|node_load1"}
up{job="node"} + {__name__=~"up|node_load1"}
sum(abs({__name__=~"up|node_load1"}))
(up or node_load1) * 2 + ignoring (instance) up
SELECT 1
select * from up
up{job="node"} where 1
http_requests_total{code=500}
rate(http_requests_total{code="500"})
rate(http_requests_total[5m)
rate http_requests_total[5m]
rate[5m](http_requests_total)
rate(http_requests_total)[5m]
sum(rate(http_requests_total[5m]) by (job)
sum(rate(http_requests_total[5m])) by job
sum by (job) rate(http_requests_total[5m])
sum(rate(http_requests_total[5m])) / rate(http_requests_total)
irate(sum(http_requests_total)[5m])
increase(http_requests_total)
avg_over_time(node_load1)
max_over_time(rate(http_requests_total[5m]))
histogram_quantile(http_request_duration_seconds_bucket, 0.9)
up == "1"
node-load1{job="x"}x
node_load1 > 1 and
node_load1 and or up
by (job) sum(up)
on
ignoring (job) up
up and
or up
atan2
1 atan2
up{job="node"}.value
up->value
up offset 0s
0b11
1e400
-1e400
0x1p3
0x8000000000000000
0xFFFFFFFFFFFFFFFFFF
up[300y]
up offset 300y
up[99999999999999999999s]
up{job=~"\\C+"}
up{job=~"node\\Z"}
up{job=~"a{1001}"}
up{job=~"[[:foo:]]"}
up{job=~"\\p{Nothing}"}
up{job=~"[z-a]"}
up{job=~"\\8"}
up{job=~"(a)\\1"}
up{job=~"a++"}
up{job=~"?"}
up{job=~"a)"}
up{job=~"\\"}
up{job!~"(?x)a"}
up{job=~"(?>a)"}
up{job=~"(?#c)a"}
up{job=~"\\G"}
1_0
sum_over_time((1 + time())[1m:13s])
time() - time() offset_metric
(up) offset_metric
count_over_time(1[5m:1m])
sum_over_time(time()[5m:1m])
bool_metric + on
(1)[5m:1m]
histogram_quantile(0.9, {__name__=~".+_bucket"})
up[5m:1m] offset
"""

# With line ends in them, or nothing but white space.
EDGES_OVER_LINES = (
    "# a comment first\n  up", "sum( # opens\n  up) # closes", "up # to the end", "sum by (job) (\n\tup\n)\n", "up\r\n",
    "\n\nup", "up # one\n# two\n + # three\n up", "`a\nb`", "up{# within\njob='node'}", "up{job='node' # a \"quote\n}",
)
ERRORS_OVER_LINES = (
    "", " ", "\n", "#", "# only a comment", "up{job=\"new\nline\"}", "'a\nb'", "up # one\n)", "sum(up # closes)", "up\x00",
    "up \u00a0+ 1", "up\u2028", "\ufeffup", "ü", "up{ü=\"x\"}", "up{job=\"\u201d}",
)

# Refused, as queries over a range alone: their type is none of a scalar's or an instant vector's.
RANGE_ERRORS = r"""
"a string"
up[5m]
up[5m:1m]
"""


def lines(text):
    """The expressions of a list, one a line, with their white space."""
    return [line for line in text.split("\n") if line]
