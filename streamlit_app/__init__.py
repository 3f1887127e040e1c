"""The page: questions and their answers, and what the pipeline did. It talks to the API over HTTP and its socket, and to nothing else."""
