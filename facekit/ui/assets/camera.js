// A photo from the camera. The stream never leaves the browser; one picture does, when the visitor takes it.
(function (facekit) {
  facekit.camera = {
    stream: null,
    async start(video) {
      if (!navigator.mediaDevices?.getUserMedia) throw new Error("no camera here");
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" }, audio: false });
      video.srcObject = this.stream;
      await video.play();
    },
    take(video) {
      const canvas = facekit.h("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
    },
    stop(video) {
      this.stream?.getTracks().forEach((track) => track.stop());
      this.stream = video.srcObject = null;
    },
  };
})(window.facekit);
