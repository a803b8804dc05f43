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

{{- define "logintide.refuse" -}}
{{- if or (gt (int .Values.replicaCount) 1) (and (ne .Values.autoscaling.type "none") (gt (int .Values.autoscaling.maxReplicas) 1)) }}
{{- fail "more than one replica is refused (replicaCount, autoscaling.maxReplicas): instances of one group each count only their own partitions' events, so windows would be split and marked incomplete; raise workers and resources instead" }}
{{- end }}
{{- if and (eq .Values.autoscaling.type "hpa") (lt (int .Values.autoscaling.minReplicas) 1) }}
{{- fail "autoscaling.minReplicas 0 needs autoscaling.type keda: a HorizontalPodAutoscaler cannot scale to zero" }}
{{- end }}
{{- if and (not .Values.http.tokenSecret.name) (not .Values.http.open) }}
{{- fail "the pod's HTTP port is not on loopback: name a Secret in http.tokenSecret, or set http.open to true" }}
{{- end }}
{{- end }}
