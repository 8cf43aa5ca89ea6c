"""How it is trained: recipe, losses, the state machine of one model, ensembles of shadows, plans."""
