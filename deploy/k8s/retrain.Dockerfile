# Adds what retraining needs to an image of Footfall that was built with REQUIREMENTS=cluster. Build it from the repository:
#   docker build --file deploy/k8s/retrain.Dockerfile --build-arg FOOTFALL=footfall:0.1.0 --tag footfall-retrain:0.1.0 .
ARG FOOTFALL=footfall:latest
FROM ${FOOTFALL}

USER 0
WORKDIR /opt/footfall
# Which kind of PyTorch (CPU, CUDA) is yours to choose: --build-arg PIP_INDEX_URL=…; its range is that of pyproject.toml.
ARG PIP_INDEX_URL
ARG TORCH="torch>=2.10,<2.14 torchvision>=0.25,<0.29"
RUN pip install --no-cache-dir ${TORCH}
COPY requirements/retrain.txt requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/retrain.txt
COPY pyproject.toml README.md LICENSE ./
COPY footfall footfall
COPY service service
COPY monitoring monitoring
COPY retrain retrain
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER 10001
WORKDIR /data
ENTRYPOINT ["footfall-retrain"]
CMD ["run"]
