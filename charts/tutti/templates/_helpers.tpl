{{- /* Text that yields text: where one of these, or a value, is put into YAML it is quoted, because 1234, 1e3 and null are
     names too. */}}

{{- /* A name short enough for what is put behind it: a StatefulSet's name ends up in a label of 63 characters. One that is
     cut ends with a hash of the whole, so that two which begin alike do not meet. */}}
{{- define "tutti.cut" -}}
{{- if gt (len .) 40 }}
{{- printf "%s-%s" (. | trunc 31 | trimAll "-") (sha256sum . | trunc 8) }}
{{- else }}
{{- . }}
{{- end }}
{{- end }}

{{- define "tutti.name" -}}
{{- .Values.nameOverride | default .Chart.Name | include "tutti.cut" }}
{{- end }}

{{- define "tutti.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | include "tutti.cut" }}
{{- else if contains (include "tutti.name" .) .Release.Name }}
{{- .Release.Name | include "tutti.cut" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tutti.name" .) | include "tutti.cut" }}
{{- end }}
{{- end }}

{{- /* These go into selectors and claim templates, which can never change: no versions, nothing from values. */}}
{{- define "tutti.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tutti.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* dict "root" $ "component" COMPONENT "labels" MAP: an object's labels, each key once. What selectors ask for holds;
     the values may say otherwise about the rest. */}}
{{- define "tutti.labels" -}}
{{- $root := .root }}
{{- $own := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/part-of" "tutti"
      "app.kubernetes.io/managed-by" $root.Release.Service
      "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- toYaml (merge (include "tutti.podSelector" . | fromYaml) (deepCopy (.labels | default dict)) (deepCopy $root.Values.commonLabels) $own) }}
{{- end }}

{{- define "tutti.podSelector" -}}
{{ include "tutti.selectorLabels" .root }}
{{- with .component }}
app.kubernetes.io/component: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* dict "root" $ "component" COMPONENT "labels" MAP: without versions, so that a new chart restarts no pod by its name. */}}
{{- define "tutti.podLabels" -}}
{{- toYaml (merge (include "tutti.podSelector" . | fromYaml) (deepCopy (.labels | default dict)) (deepCopy .root.Values.commonLabels)) }}
{{- end }}

{{- /* dict "root" $ "name" NAME "component" COMPONENT "labels" MAP "annotations" MAP: an object's metadata. */}}
{{- define "tutti.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "tutti.labels" . | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tutti.image" -}}
{{- $image := .Values.image -}}
{{- with .Values.global.imageRegistry | default $image.registry }}{{ . }}/{{ end -}}
{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "tutti.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "tutti.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- /* The settings of one reference service: the defaults under its own. */}}
{{- define "tutti.participantValues" -}}
{{- mergeOverwrite (deepCopy .root.Values.participants.defaults) (deepCopy (index .root.Values.participants .name)) | toJson }}
{{- end }}

{{- /* Names of the reference services that are on, joined by spaces. */}}
{{- define "tutti.participantNames" -}}
{{- $names := list }}
{{- range $name := list "payment" "reservation" "token" }}
{{- if (index $.Values.participants $name).enabled }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- join " " $names }}
{{- end }}

{{- define "tutti.hasAllParticipants" -}}
{{- if eq (include "tutti.participantNames" .) "payment reservation token" }}yes{{ end }}
{{- end }}

{{- /* Component → its name in Kubernetes, its name in the values, the settings of its volume. */}}
{{- define "tutti.servers" -}}
{{- $name := include "tutti.fullname" . }}
{{- $servers := dict "orchestrator" (dict "name" $name "values" "orchestrator" "persistence" .Values.orchestrator.persistence) }}
{{- range $participant := splitList " " (include "tutti.participantNames" .) | compact }}
{{- $p := include "tutti.participantValues" (dict "root" $ "name" $participant) | fromJson }}
{{- $_ := set $servers $participant (dict "name" (printf "%s-%s" $name $participant) "values" (printf "participants.%s" $participant)
      "persistence" $p.persistence) }}
{{- end }}
{{- toJson $servers }}
{{- end }}

{{- /* dict "drain" MAP "override" SECONDS "name" NAME: how long a pod may take to end. */}}
{{- define "tutti.gracePeriod" -}}
{{- $drain := 0 }}
{{- range .drain }}{{ $drain = add $drain (int .) }}{{ end }}
{{- $grace := add $drain 15 }}
{{- if .override }}
{{- $grace = int .override }}
{{- if le $grace $drain }}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d: it must be more than the drain's %d seconds" .name $grace $drain) }}
{{- end }}
{{- end }}
{{- $grace }}
{{- end }}

{{- /* What `helm test` runs; empty: it only reads definitions. The chart's own test definition needs all that it calls, and
     the Job that applies it. */}}
{{- define "tutti.testDefinition" -}}
{{- if .Values.test.definition }}
{{- .Values.test.definition }}
{{- else if and (include "tutti.hasAllParticipants" .) .Values.definitions.job.enabled }}
{{- "release-test" }}
{{- end }}
{{- end }}

{{- define "tutti.runsTestDefinition" -}}
{{- if and .Values.test.enabled (eq (include "tutti.testDefinition" .) "release-test") }}yes{{ end }}
{{- end }}

{{- define "tutti.address" -}}
{{ include "tutti.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.orchestrator.service.port }}
{{- end }}
