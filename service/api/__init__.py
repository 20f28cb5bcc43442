"""What other programs and the pages ask of the service, over HTTP; knows no video, model or SQL."""
