"""The main job: a shadow campaign under LiRA."""
