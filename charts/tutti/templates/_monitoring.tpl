{{- /* Jobs are named by the headless Services, whose name is that of the server. Of the release's own orchestrator: */}}
{{- define "tutti.orchestratorJob" -}}
{{ include "tutti.fullname" . }}-headless
{{- end }}

{{- /* The release's own jobs, as a list in JSON. */}}
{{- define "tutti.jobs" -}}
{{- $jobs := list (include "tutti.orchestratorJob" .) }}
{{- range list "payment" "reservation" "token" }}
{{- $jobs = append $jobs (printf "%s-%s-headless" (include "tutti.fullname" $) .) }}
{{- end }}
{{- toJson $jobs }}
{{- end }}

{{- /* The same, as a regular expression. */}}
{{- define "tutti.jobPattern" -}}
{{ include "tutti.fullname" . }}(-(payment|reservation|token))?-headless
{{- end }}

{{- /* dict "root" $ "expr" EXPR: a query of rules/, with this release in place of everybody. */}}
{{- define "tutti.scopedQuery" -}}
{{- $expr := .expr }}
{{- $every := `job=~".*"` }}
{{- with .root.Values.prometheusRule.selector }}
{{- $expr = $expr | replace $every . }}
{{- else }}
{{- $namespace := printf "namespace=%q" .root.Release.Namespace }}
{{- $one := printf "%s, job=%q" $namespace (include "tutti.orchestratorJob" .root) }}
{{- $all := printf "%s, job=~%q" $namespace (include "tutti.jobPattern" .root) }}
{{- $up := printf `0 * max by (cluster, namespace, job) (up{%s, job=~".*tutti.*", job!~".*-(payment|reservation|token)(-headless)?"})` $every }}
{{- /* A target that was never there leaves no series at all; but that there should be one is known here. */}}
{{- $expr = $expr | replace $up (printf "0 * max by (cluster, namespace, job) (up{%s})\nor 0 * absent(up{%s})" $one $one) }}
{{- $expr = $expr | replace (printf `%s, job=~".*tutti.*"` $every) $all | replace $every $all }}
{{- end }}
{{- $expr }}
{{- end }}

{{- /* dict "root" $ "text" TEXT: a file of rules/, as the values want it. */}}
{{- define "tutti.rules" -}}
{{- $root := .root }}
{{- $values := .root.Values.prometheusRule }}
{{- $file := .text | fromYaml }}
{{- range $group := $file.groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- $own := dict }}
{{- $_ := set $rule "expr" (include "tutti.scopedQuery" (dict "root" $root "expr" $rule.expr)) }}
{{- if $rule.alert }}
{{- $own = index ($values.alerts | default dict) $rule.alert | default dict }}
{{- range $name, $value := $own.thresholds }}
{{- $mark := printf "[-+.0-9e]+  # %s(\n|$)" $name }}
{{- if not (regexMatch $mark $rule.expr) }}
{{- fail (printf "prometheusRule.alerts.%s.thresholds.%s: %s has no such threshold; rules/tutti-alerts.yaml names them behind its numbers" $rule.alert $name $rule.alert) }}
{{- end }}
{{- $_ := set $rule "expr" (regexReplaceAll $mark $rule.expr (printf "%v  # %s${1}" $value $name)) }}
{{- end }}
{{- if $own.for }}{{ $_ := set $rule "for" $own.for }}{{ end }}
{{- $severity := $own.severity | default $rule.labels.severity }}
{{- $_ := set $rule "labels" (merge (dict "severity" $severity) (deepCopy ($own.labels | default dict)) (deepCopy $values.alertLabels) $rule.labels) }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s%s" $values.runbookUrlPrefix $rule.annotations.runbook_url) }}
{{- end }}
{{- if ne (toString $own.enabled) "false" }}{{ $rules = append $rules $rule }}{{ end }}
{{- end }}
{{- $_ := set $group "rules" $rules }}
{{- end }}
{{- toYaml $file }}
{{- end }}

{{- /* dict "root" $ "text" TEXT: a dashboard with uid, title and links of this release, so that several can live in one
     Grafana, and with its variables set to it where the chart names the jobs. */}}
{{- define "tutti.dashboard" -}}
{{- $root := .root }}
{{- $release := printf "%s/%s" .root.Release.Namespace (include "tutti.fullname" .root) }}
{{- $board := .text | fromJson }}
{{- $_ := set $board "uid" (printf "%s-%s" $board.uid (sha256sum $release | trunc 8)) }}
{{- $_ := set $board "title" (printf "%s (%s)" $board.title $release) }}
{{- $_ := set $board "tags" (append $board.tags $release) }}
{{- range $board.links }}{{ $_ := set . "tags" (list $release) }}{{ end }}
{{- if .root.Values.serviceMonitor.enabled }}
{{- $chosen := dict "namespace" (list .root.Release.Namespace) "job" (include "tutti.jobs" .root | fromJsonArray) }}
{{- range $variable := $board.templating.list }}
{{- with index $chosen $variable.name }}{{ $_ := set $variable "current" (dict "text" . "value" .) }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $board }}
{{- end }}
