import MetricsDaemon
import Runtime

StartUp.run(Metricsd.self)
