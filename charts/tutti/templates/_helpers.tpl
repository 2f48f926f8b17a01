{{- define "tutti.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* Short enough for what is put behind it: a StatefulSet's name ends up in a label of 63 characters. */}}
{{- define "tutti.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tutti.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tutti.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* These go into selectors and claim templates, which can never change: no versions, nothing from values. */}}
{{- define "tutti.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tutti.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tutti.labels" -}}
{{ include "tutti.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tutti
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* dict "root" $ "name" NAME "component" COMPONENT "annotations" MAP: an object's metadata. */}}
{{- define "tutti.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "tutti.labels" .root | nindent 2 }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
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

{{- /* What `helm test` runs; empty: it only reads definitions. */}}
{{- define "tutti.testDefinition" -}}
{{- if .Values.test.definition }}
{{- .Values.test.definition }}
{{- else if include "tutti.hasAllParticipants" . }}
{{- "release-test" }}
{{- end }}
{{- end }}

{{- define "tutti.runsTestDefinition" -}}
{{- if and .Values.test.enabled (eq (include "tutti.testDefinition" .) "release-test") }}yes{{ end }}
{{- end }}

{{- define "tutti.address" -}}
{{ include "tutti.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.orchestrator.service.port }}
{{- end }}
