"""Where a model looks: gradients, integrated gradients, Grad-CAM."""
