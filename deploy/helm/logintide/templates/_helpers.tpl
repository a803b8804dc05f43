{{- define "logintide.fullname" -}}
{{- if contains "logintide" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-logintide{{ end }}
{{- end }}

{{- define "logintide.selector" -}}
app.kubernetes.io/name: logintide
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "logintide.labels" -}}
{{ include "logintide.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "logintide.leaves" -}}
{{- if eq (toString .Values.leaveOnStop) "auto" }}{{ ne .Values.autoscaling.type "none" }}{{ else }}{{ .Values.leaveOnStop }}{{ end }}
{{- end }}

{{/* Both autoscalers: each pod that goes is a rebalance, and lag goes up and down. */}}
{{- define "logintide.scaling" -}}
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}

{{- define "logintide.refuse" -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add (trimSuffix "s" .Values.sessionTimeout) 20 | int) }}
{{- fail "terminationGracePeriodSeconds is below sessionTimeout and 20 s: a stop that takes its time would be killed" }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" }}
{{- end }}
{{- if and (eq .Values.autoscaling.type "hpa") (lt (int .Values.autoscaling.minReplicas) 1) }}
{{- fail "autoscaling.minReplicas 0 needs autoscaling.type keda: a HorizontalPodAutoscaler cannot scale to zero" }}
{{- end }}
{{- if and (not .Values.http.tokenSecret.name) (not .Values.http.open) }}
{{- fail "the pod's HTTP port is not on loopback: name a Secret in http.tokenSecret, or set http.open to true" }}
{{- end }}
{{- end }}
