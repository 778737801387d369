"""What a model is asked to do: each task builds prompts, runs the loop and reads the result."""
