{{/*
What a chart of one's own puts into its Deployment. Each takes this chart's scope; where it is a dependency, that is
`(index .Subcharts "dds-sidecar")`.

  dds-sidecar.labels       for the pod: what network policy and monitors select
  dds-sidecar.container    the container, for `initContainers` (kind: native) or `containers` (kind: plain)
  dds-sidecar.volumes      its volumes
  dds-sidecar.preStop      the API's own preStop: it outlives the drain
  dds-sidecar.gracePeriod  seconds
*/}}

{{- define "dds-sidecar.labels" -}}
dds-sidecar/injected: "true"
{{- end }}

{{- define "dds-sidecar.drained" -}}
{{- add (trimSuffix "s" .Values.config.drain.accept_for) (trimSuffix "s" .Values.config.drain.timeout) -}}
{{- end }}

{{- define "dds-sidecar.gracePeriod" -}}
{{- add (include "dds-sidecar.drained" .) 15 -}}
{{- end }}

{{- define "dds-sidecar.preStop" -}}
exec:
  command: [sleep, {{ include "dds-sidecar.drained" . | quote }}]
{{- end }}

{{- define "dds-sidecar.container" -}}
name: sidecar
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
ports:
  - name: sidecar
    containerPort: 8080
  - name: sidecar-admin
    containerPort: 9090
startupProbe:
  httpGet: {path: /livez, port: 9090}
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /livez, port: 9090}
  periodSeconds: 10
  timeoutSeconds: 2
readinessProbe:
  httpGet: {path: /readyz, port: 9090}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1
{{- if eq .Values.kind "native" }}
restartPolicy: Always
# It gets its SIGTERM only when the API has ended; its preStop runs at once, so that is what starts the drain.
lifecycle:
  preStop:
    exec:
      command: [/sidecar, drain]
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  # The directory, not the file by subPath: only so a changed ConfigMap arrives.
  - name: sidecar-config
    mountPath: /etc/sidecar
    readOnly: true
  - name: sidecar-secret
    mountPath: /etc/sidecar-secret
    readOnly: true
{{- end }}

{{- define "dds-sidecar.volumes" -}}
- name: sidecar-config
  configMap:
    name: {{ .Release.Name }}-sidecar
- name: sidecar-secret
  secret:
    secretName: {{ .Values.secretName }}
{{- end }}
