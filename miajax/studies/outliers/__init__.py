"""Why examples leak: outlier metrics against vulnerability."""
