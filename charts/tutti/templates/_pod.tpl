{{- /* Fields of a pod's spec that are the same for every pod. */}}
{{- define "tutti.podBase" -}}
serviceAccountName: {{ include "tutti.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . | quote }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ (kindIs "map" . | ternary . (dict "name" .)).name | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "tutti.containerBase" -}}
image: {{ include "tutti.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
terminationMessagePolicy: {{ .Values.terminationMessagePolicy | quote }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{- /* dict "root" $ "values" SETTINGS: where a server's pod may run. */}}
{{- define "tutti.scheduling" -}}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "tutti.selectorLabels" .root | nindent 8 }}
  {{- end }}
{{- include "tutti.placement" .values | nindent 0 }}
{{- end }}

{{- /* Where any pod may run, by its settings. */}}
{{- define "tutti.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* dict "values" SETTINGS "port" PORT. The port is plaintext and a number: what kubelets can ask. A drain is NOT_SERVING
     but alive. */}}
{{- define "tutti.probes" -}}
startupProbe:
  grpc:
    port: {{ .port | int64 }}
  {{- toYaml .values.startupProbe | nindent 2 }}
readinessProbe:
  grpc:
    port: {{ .port | int64 }}
  {{- toYaml .values.readinessProbe | nindent 2 }}
livenessProbe:
  grpc:
    port: {{ .port | int64 }}
    service: liveness
  {{- toYaml .values.livenessProbe | nindent 2 }}
{{- end }}

{{- define "tutti.preStop" -}}
{{- if .preStopSeconds -}}
lifecycle:
  preStop:
    exec:
      command: ["/bin/sleep", {{ .preStopSeconds | toString | quote }}]
{{- end }}
{{- end }}

{{- /* dict "root" $ "values" SETTINGS: how a StatefulSet changes its pods. With OrderedReady one that never becomes ready is not
     replaced by the next revision either, so a bad image could not be rolled back. */}}
{{- define "tutti.changes" -}}
podManagementPolicy: {{ .root.Values.podManagementPolicy | quote }}
updateStrategy:
  {{- toYaml .values.updateStrategy | nindent 2 }}
{{- end }}

{{- /* dict "root" $ "values" SETTINGS: the rest of a StatefulSet's spec, from the claim on. */}}
{{- define "tutti.claims" -}}
{{- if and .values.persistence.enabled (not .values.persistence.existingClaim) -}}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: {{ .values.persistence.whenDeleted | quote }}
  whenScaled: {{ .values.persistence.whenScaled | quote }}
volumeClaimTemplates:
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: data
      labels:
        {{- include "tutti.selectorLabels" .root | nindent 8 }}
      {{- with .values.persistence.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      accessModes: {{ toJson .values.persistence.accessModes }}
      {{- with .values.persistence.storageClass }}
      storageClassName: {{ . | quote }}
      {{- end }}
      {{- with .values.persistence.dataSource }}
      dataSource:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        requests:
          storage: {{ .values.persistence.size | quote }}
{{- end }}
{{- end }}

{{- /* PERSISTENCE: the volume `data`, where it is no claim of the StatefulSet's own. */}}
{{- define "tutti.dataVolume" -}}
{{- if not .enabled -}}
- name: data
  emptyDir: {}
{{- else if .existingClaim -}}
- name: data
  persistentVolumeClaim:
    claimName: {{ .existingClaim | quote }}
{{- end }}
{{- end }}

{{- /* dict "root" $ "name" NAME "component" COMPONENT "values" SETTINGS */}}
{{- define "tutti.disruptionBudget" -}}
{{- $budget := .values.podDisruptionBudget }}
{{- if $budget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "tutti.metadata" . | nindent 2 }}
spec:
  {{- if not (kindIs "invalid" $budget.minAvailable) }}
  minAvailable: {{ $budget.minAvailable | toJson }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable | toJson }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "tutti.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component | quote }}
{{- end }}
{{- end }}

{{- /* dict "root" $ "name" NAME "component" COMPONENT "port" PORT "target" PORT NAME: the StatefulSet's own Service, where
     Prometheus finds /metrics, ready or not. */}}
{{- define "tutti.headlessService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "tutti.metadata" (merge (dict "name" (printf "%s-headless" .name)) .) | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  ports:
    - name: grpc
      port: {{ .port | int64 }}
      targetPort: grpc
      appProtocol: grpc
    - name: metrics
      port: {{ .metricsPort | int64 }}
      targetPort: metrics
      appProtocol: http
  selector:
    {{- include "tutti.selectorLabels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component | quote }}
{{- end }}

{{- /* Environment and mounts by which tuttictl finds the orchestrator. */}}
{{- define "tutti.clientEnv" -}}
- name: TUTTI_ADDRESS
  value: {{ include "tutti.address" . | quote }}
{{- with .Values.orchestrator.tls }}
{{- if .existingSecret }}
- name: TUTTI_TLS_CA
  value: /etc/tutti/tls/ca.crt
{{- if .clientAuth }}
- name: TUTTI_TLS_CERTIFICATE
  value: /etc/tutti/client/tls.crt
- name: TUTTI_TLS_PRIVATE_KEY
  value: /etc/tutti/client/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tutti.clientMounts" -}}
{{- with .Values.orchestrator.tls }}
{{- if .existingSecret }}
- {name: tls, mountPath: /etc/tutti/tls, readOnly: true}
{{- if .clientAuth }}
- {name: client, mountPath: /etc/tutti/client, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tutti.clientVolumes" -}}
{{- with .Values.orchestrator.tls }}
{{- if .existingSecret }}
- name: tls
  secret:
    secretName: {{ .existingSecret | quote }}
    items: [{key: ca.crt, path: ca.crt}]
{{- if .clientAuth }}
- name: client
  secret:
    secretName: {{ required "orchestrator.tls.clientAuth needs orchestrator.tls.clientSecret, which the chart's own jobs show" .clientSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}
{{- end }}
